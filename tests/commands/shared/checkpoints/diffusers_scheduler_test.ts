import {
  fromScheduler,
  schedulerConfig,
} from "../../../../commands/shared/checkpoints/diffusers_scheduler.ts";
import { parseConfig } from "../../../../config/load.ts";
import { makeProcess } from "../../../../diffusion/process.ts";
import { assertAlmostEquals, assertEquals, assertThrows } from "../../../support/assert.ts";

const DDIM = {
  _class_name: "DDIMScheduler",
  beta_schedule: "squaredcos_cap_v2",
  clip_sample: true,
  num_train_timesteps: 40,
  prediction_type: "v_prediction",
  rescale_betas_zero_snr: true,
  timestep_spacing: "trailing",
};

/** What a config becomes here, and what was refused of it. */
function taken(config: Record<string, unknown>) {
  const refused: string[] = [];
  const { diffusion } = fromScheduler(config, (key) => void refused.push(key));
  return { refused, diffusion };
}

const optionsOf = (config: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ diffusion: taken(config).diffusion }), { path: "x" }).diffusion;

Deno.test("fromScheduler() takes v of levels that end without signal, and trailing timesteps", () => {
  const { refused } = taken(DDIM);
  assertEquals(refused, []);
  const options = optionsOf(DDIM);
  const { target, schedule, sampler } = options;
  assertEquals([target, schedule], ["v", "cosine"]);
  assertEquals([sampler.name, sampler.steps, sampler.spacing], ["ddim", 40, "trailing"]);
  const { levels } = makeProcess(options).schedule;
  assertEquals(levels.at(-1)!.signal, 0);
  const root = Math.cos((1 / 40 + 0.008) / 1.008 * Math.PI / 2) /
    Math.cos(0.008 / 1.008 * Math.PI / 2);
  assertAlmostEquals(levels[0]!.signal, root, 1e-12);
});

Deno.test("fromScheduler() takes given betas, bounds of predicted images and an offset", () => {
  const betas = [0.1, 0.2, 0.3];
  const config = { _class_name: "DDIMScheduler", num_train_timesteps: 3, trained_betas: betas };
  const { schedule, scheduleOptions, sampler } = optionsOf({
    ...{ ...config, steps_offset: 1, thresholding: true },
    ...{ dynamic_thresholding_ratio: 0.9, sample_max_value: 2 },
  });
  assertEquals([schedule, scheduleOptions.betas], ["trained", betas]);
  const { spacing, offset, threshold, thresholdMax } = sampler;
  assertEquals([spacing, offset, threshold, thresholdMax], ["leading", 1, 0.9, 2]);
  const ddpm = optionsOf({ _class_name: "DDPMScheduler", clip_sample_range: 3 });
  assertEquals([ddpm.sampler.name, ddpm.sampler.clipRange], ["ddpm", 3]);
});

Deno.test("fromScheduler() takes a small variance by its logarithm for the small variance", () => {
  const { refused, diffusion } = taken({
    _class_name: "DDPMScheduler",
    variance_type: "fixed_small_log",
  });
  assertEquals([refused, diffusion.variance], [[], "fixedsmall"]);
});

Deno.test("fromScheduler() refuses a schedule and a prediction that are not known", () => {
  const { refused } = taken({ ...DDIM, beta_schedule: "laplace", prediction_type: "flow" });
  assertEquals(refused, ["beta_schedule", "prediction_type"]);
});

Deno.test("schedulerConfig() writes what fromScheduler() reads", () => {
  const thresholded = { thresholding: true, sample_max_value: 2 };
  const trained = { num_train_timesteps: 3, trained_betas: [0.1, 0.2, 0.3], clip_sample_range: 2 };
  for (const more of [{}, { beta_schedule: "scaled_linear", ...thresholded }, trained]) {
    const given = { ...DDIM, ...more };
    const options = optionsOf({ ...given, _class_name: "DDPMScheduler" });
    const written = schedulerConfig(options);
    assertEquals(written.timestep_spacing, "trailing");
    assertEquals(optionsOf(written), options);
  }
  const shifted = optionsOf(DDIM);
  assertThrows(
    () =>
      schedulerConfig({ ...shifted, scheduleOptions: { ...shifted.scheduleOptions, shift: 2 } }),
    RangeError,
    "shift must be 1, got 2",
  );
});
