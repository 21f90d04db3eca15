// The notebook ddpm.ipynb, which `deno task notebooks` writes from this file.

// %% [markdown]
// # Denoising diffusion, cell by cell
//
// After the notebook on [denoising diffusion probabilistic models](https://arxiv.org/abs/2006.11239)
// (Ho, Jain, Abbeel 2020) of [dataflowr's course](https://dataflowr.github.io/website/): load, show,
// train with Gaussian and with Laplace noise, generate, fine-tune on one class, judge. It runs in Deno's
// Jupyter kernel (`deno jupyter --install`), on any GPU with WebGPU, or on a CPU.
//
// Given $\beta_1 < \dots < \beta_T$, with $\alpha_t = 1 - \beta_t$ and
// $\bar\alpha_t = \prod_{s \le t} \alpha_s$, the **forward process** mixes noise into an image:
//
// $$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
// \epsilon \sim \mathcal{N}(0, I).$$
//
// **Training**: a network learns to tell the noise, at a random $\tau$ (equation 14):
//
// $$\ell(\theta) = \mathbb{E}_{\tau, \epsilon}
// \left\| \epsilon - \epsilon_\theta(\sqrt{\bar\alpha_\tau}\, x_0 +
// \sqrt{1 - \bar\alpha_\tau}\, \epsilon, \tau) \right\|^2.$$
//
// **Sampling** goes back from noise, for $t = T, \dots, 1$ (algorithm 2):
//
// $$x_{t-1} = \frac{1}{\sqrt{\alpha_t}} \left( x_t -
// \frac{1 - \alpha_t}{\sqrt{1 - \bar\alpha_t}}\, \epsilon_\theta(x_t, t) \right) +
// \sqrt{\beta_t}\, z, \qquad z \sim \mathcal{N}(0, I).$$

// %%
import {
  createRun,
  type DataSettings,
  evaluate,
  Images,
  loadData,
  loadFeatures,
  loadRun,
  type NewRun,
  ofClass,
  type Run,
  showSet,
  statistics,
} from "@diffract/diffract/lab";

// %% [markdown]
// ## Sizes
//
// Small enough for a few minutes on two CPU cores. The course's own, for a graphics card, are in the
// comments. Fashion-MNIST stands in for MNIST, as Debian has it in a package; `mnist` works too.

// %% parameters
const sizes = {
  side: 16, // 32
  channels: 16, // 64
  channelMultipliers: [1, 2, 4], // [1, 2, 4, 8, 16]
  batchSize: 32, // 1200 of MNIST, 512 of CIFAR-10
  steps: 400, // 70 epochs of MNIST, 30 of CIFAR-10
  tuningSteps: 100, // 10 epochs
  classifierSteps: 300,
  images: 32, // 100
  samplerSteps: 50, // 1000
  judged: 96,
};
const grey: DataSettings = { name: "fashion-mnist", flip: false };
const colour: DataSettings = { name: "cifar10", flip: false };
const chosenClass = "ship";
const folder = "runs/notebook";

// %% [markdown]
// ## Load data
//
// The pictures and numbers below were made with 2,000 images of CIFAR-10 that had been through JPEG:
// colour is blurred, and numbers on the original images, which `cifar10` fetches, differ.

// %%
const greySet = await loadData({ ...grey, size: sizes.side });
showSet(greySet);

// %%
const colourSet = await loadData({ ...colour, size: sizes.side });
showSet(colourSet);

// %% [markdown]
// ## Train
//
// The network is the course's U-Net with batch normalisation (`full`), with its table of timesteps. Its
// runs have no moving average of the weights, and a constant learning rate. Unlike there, the predicted
// image is clipped while sampling (`diffusion: { clipX0: false }` leaves that out).

// %%
const course: NewRun = {
  model: {
    name: "full",
    channels: sizes.channels,
    channelMultipliers: sizes.channelMultipliers,
    timeChannels: 100,
    timeTable: "notebook",
  },
  diffusion: { schedule: "linear-torch" },
  optim: {
    ...{ lr: 1e-3, betas: [0.9, 0.999], warmupSteps: 0, decay: "constant", gradClip: 0 },
    ema: { decay: 0, warmup: false },
  },
  train: { steps: sizes.steps, batchSize: sizes.batchSize },
};

/** Trains to the end, and tells of the loss ten times. */
async function train(run: Run): Promise<void> {
  const every = Math.ceil(run.config.train.steps / 10);
  for await (const { step, steps, loss } of run.trainSteps({ every })) {
    console.log(`step ${step} of ${steps}, loss ${loss.toFixed(4)}`);
  }
}

// %% [markdown]
// ### Gaussian noise, squared error

// %%
const gaussian = await createRun({ ...course, data: greySet });
console.log(`${gaussian.parameters} parameters`);
await train(gaussian);
await gaussian.save(`${folder}/gaussian.safetensors`);

// %% [markdown]
// ### Laplace noise, absolute error

// %%
const laplace = await createRun({
  ...course,
  data: greySet,
  diffusion: { ...course.diffusion, noise: { name: "laplace" }, loss: "l1" },
});
await train(laplace);
await laplace.save(`${folder}/laplace.safetensors`);

// %% [markdown]
// ## Generate
//
// A saved model is all that sampling needs. Halfway, the images are still mostly noise.

// %%
/** Images, and what they were halfway. */
async function generate(run: Run): Promise<{ images: Images; halfway: Images }> {
  const halfway: Images[] = [];
  const images = await run.sample({
    count: sizes.images,
    ...{ sampler: "ddim", steps: sizes.samplerSteps, eta: 1 },
    onStep: ({ step, steps, images }) => {
      if (step === Math.ceil(steps / 2)) halfway.push(images);
    },
  });
  return { images, halfway: Images.join(halfway) };
}

const loadedGaussian = await loadRun(`${folder}/gaussian.safetensors`);
const ofGaussian = await generate(loadedGaussian);
ofGaussian.images.grid(8);

// %%
ofGaussian.halfway.grid(8);

// %%
const loadedLaplace = await loadRun(`${folder}/laplace.safetensors`);
const ofLaplace = await generate(loadedLaplace);
ofLaplace.images.grid(8);

// %% [markdown]
// How one image comes about: every tenth of the way, and the clean image that the network sees in it.

// %%
const way: Images[] = [], predicted: Images[] = [];
const every = Math.ceil(sizes.samplerSteps / 10);
for await (
  const step of loadedGaussian.sampleSteps({
    count: 1,
    every,
    ...{ sampler: "ddim", steps: sizes.samplerSteps, eta: 1 },
  })
) {
  way.push(step.images);
  predicted.push(step.predicted);
}
Images.join([...way, ...predicted]).grid(way.length);

// %% [markdown]
// ## Fine-tune on one class
//
// A base network learns all of CIFAR-10; another run begins with its weights and sees one class alone.

// %%
const base = await createRun({ ...course, data: colourSet });
await train(base);
await base.save(`${folder}/base.safetensors`);

// %%
const oneClass = ofClass(colourSet, chosenClass);
const tuned = await createRun({
  from: base,
  data: oneClass,
  train: { steps: sizes.tuningSteps, batchSize: Math.min(sizes.batchSize, oneClass.count) },
});
await train(tuned);

// %%
(await generate(base)).images.grid(8);

// %%
(await generate(tuned)).images.grid(8);

// %% [markdown]
// ## Judge
//
// Statistics of the data, then Inception Score and FID of what was generated. Features are those of a
// small classifier that is trained here, once; `loadFeatures({ inception: true })` fetches the network
// that papers use. Numbers of different features, and of different counts of images, do not compare.

// %%
const features = await loadFeatures({
  of: greySet,
  steps: sizes.classifierSteps,
  path: `${folder}/classifier.safetensors`,
});
const { count, dimension } = await statistics(greySet, features, `${folder}/statistics.npz`);
console.log(`${dimension} features of ${count} images`);

// %%
const scores: Record<string, number>[] = [];
for (const [noise, run] of [["gaussian", gaussian], ["laplace", laplace]] as const) {
  const images = await run.sample({
    count: sizes.judged,
    ...{ sampler: "ddim", steps: sizes.samplerSteps, eta: 1 },
  });
  const metrics = await evaluate(images, `${folder}/statistics.npz`, { features });
  scores.push(Object.fromEntries(metrics.map(({ key, value }) => [key, value])));
  for (const { label, value, spread } of metrics) {
    console.log(
      `${noise}: ${label} ${value.toFixed(3)}${spread ? ` +- ${spread.toFixed(3)}` : ""}`,
    );
  }
}
