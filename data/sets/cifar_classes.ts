/**
 * What the labels of CIFAR-10 and CIFAR-100 mean.
 *
 * @module
 */

/** Classes of CIFAR-10. */
export const CIFAR_10_CLASSES: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/** Fine classes of CIFAR-100, which are in alphabetical order. */
export const CIFAR_100_CLASSES: readonly string[] = `
  apple, aquarium fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle,
  bowl, boy, bridge, bus, butterfly, camel, can, castle, caterpillar, cattle,
  chair, chimpanzee, clock, cloud, cockroach, couch, crab, crocodile, cup, dinosaur,
  dolphin, elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard,
  lamp, lawn mower, leopard, lion, lizard, lobster, man, maple tree, motorcycle, mountain,
  mouse, mushroom, oak tree, orange, orchid, otter, palm tree, pear, pickup truck, pine tree,
  plain, plate, poppy, porcupine, possum, rabbit, raccoon, ray, road, rocket,
  rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider,
  squirrel, streetcar, sunflower, sweet pepper, table, tank, telephone, television, tiger, tractor,
  train, trout, tulip, turtle, wardrobe, whale, willow tree, wolf, woman, worm
`.split(",").map((name) => name.trim());
