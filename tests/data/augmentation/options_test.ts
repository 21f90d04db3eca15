import {
  AUGMENT,
  augmentNumbers,
  augmentSettings,
  EDM_SETTINGS,
} from "../../../data/augmentation/options.ts";
import { withDefaults } from "../../../support/options.ts";
import { parseConfig } from "../../../config/load.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";

const augment = withDefaults(AUGMENT);

Deno.test("augmentSettings() is null where nothing is done", () => {
  assertEquals(augmentSettings({ augment, flipVertical: false }), null);
  const none = { yflip: 0, scale: 0, rotateFrac: 0, aniso: 0, translateFrac: 0 };
  const idle = { ...augment, ...none, probability: 0.3 };
  assertEquals(augmentSettings({ augment: idle, flipVertical: false }), null);
});

Deno.test("augmentSettings() are EDM's once a probability is given, told by EDM's nine numbers", () => {
  const settings = augmentSettings({
    augment: { ...augment, probability: 0.12 },
    flipVertical: false,
  })!;
  assertEquals(settings, {
    ...EDM_SETTINGS,
    ...{ probability: 0.12, yflip: 1, scale: 1, rotateFrac: 1, aniso: 1, translateFrac: 1 },
  });
  assertEquals(augmentNumbers(settings), 9);
});

Deno.test("augmentSettings() mirrors vertically half of the time, whatever the probability", () => {
  for (const probability of [0, 0.1, 1]) {
    const settings = augmentSettings({ augment: { ...augment, probability }, flipVertical: true })!;
    assertEquals(settings.yflip * settings.probability, 1);
    assertEquals(augmentNumbers(settings), probability === 0 ? 2 : 9);
  }
});

Deno.test("data.augment is refused where images can't be augmented", () => {
  const refused = (data: object, text: string, more: object = {}) =>
    assertThrows(
      () => parseConfig(JSON.stringify({ data, ...more }), { path: "x.json", overrides: [] }),
      Error,
      text,
    );
  const volumes = {
    name: "synthetic",
    size: 8,
    synthetic: { dims: 3, channels: 1 },
  };
  refused(
    { ...volumes, augment: { probability: 0.1 } },
    "data.augment.probability must be 0 for signals and volumes",
  );
  refused({ ...volumes, flipVertical: true }, "data.flipVertical must be false for signals");
  refused(
    { name: "folder", size: [32, 64], augment: { probability: 0.1, rotateInt: 1 } },
    "data.augment.rotateInt must be 0 where data.size is not that of a square",
  );
  refused(
    { augment: { probability: 0.1 } },
    "data.augment.probability must be 0 with model.latent.autoencoder",
    { model: { latent: { autoencoder: "vae" } } },
  );
  refused(
    { augment: { probability: 0.1, hue: 1 } },
    "model.augmentNumbers must be 0 or at least 11",
    { model: { name: "edm", augmentNumbers: 9 } },
  );
  refused({ augment: { probability: 1.5 } }, "data.augment.probability must be");
  assert(augment.probability === 0);
});
