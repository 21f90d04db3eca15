import { solverTimesteps } from "../../../commands/verify/diffusers_noise.ts";
import { PLANS } from "../../../commands/verify/diffusers_plans.ts";
import { ablationSchedule } from "../../../commands/verify/edm_schedules.ts";
import type { GoldenFile } from "../../../commands/verify/golden.ts";
import { LUCID_KARRAS_UNET } from "../../../commands/verify/networks/lucid_karras.ts";
import { isEvaluation } from "../../../diffusion/moves.ts";
import type { KarrasUNet } from "../../../model/networks/lucid_karras/unet.ts";
import { assertEquals } from "../../support/assert.ts";

Deno.test("solverTimesteps() rounds what lies half-way as numpy does", () => {
  // numpy 1.24: round(linspace(0, 999, 31)), reversed, without the last.
  const options = { spacing: "linspace", steps: 30, offset: 0, count: 1000 };
  const expected = "999 966 932 899 866 832 799 766 733 699 666 633 599 566 533 " +
    "499 466 433 400 366 333 300 266 233 200 166 133 100 67 33";
  assertEquals(solverTimesteps(options, 1000).join(" "), expected);
});

Deno.test("PNDM asks at the second timestep twice, wherever the first is", () => {
  const { moves } = PLANS.PNDMScheduler!({
    scheduler: "PNDMScheduler",
    config_full: {
      ...{ beta_schedule: "linear", num_train_timesteps: 1000, prediction_type: "epsilon" },
      ...{ timestep_spacing: "trailing", skip_prk_steps: true, set_alpha_to_one: false },
    },
    ...{ set_timesteps: { num_inference_steps: 6 }, step_kwargs: {}, learned: null },
  });
  const asked = moves.filter(isEvaluation).map(({ timestep }) => timestep);
  assertEquals(asked, [999, 832, 832, 666, 499, 332, 166]);
});

Deno.test("ablationSchedule() ends at time 0 where the VP schedule's least beta is below 0", () => {
  const kwargs = { schedule: "vp", scaling: "vp", epsilon_s: 1e-3 };
  const { coordinates } = ablationSchedule(kwargs, [0.002, 80]);
  assertEquals(coordinates.time({ signal: 1, noise: 0 }), 0);
});

Deno.test("LUCID_KARRAS_UNET takes resnet_mp_add_t and adds by 0.3, as the recorded code does", () => {
  const config = { image_size: 8, dim: 8, num_downsamples: 1, resnet_mp_add_t: 0.6, dropout: 0 };
  const golden = { manifest: { config } } as unknown as GoldenFile;
  const { options } = LUCID_KARRAS_UNET.rebuild(golden, new Map()).network as KarrasUNet;
  assertEquals([options.blockShare, options.attentionShare], [0.3, 0.3]);
});
