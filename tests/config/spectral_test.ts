import { configWarnings } from "../../config/checks.ts";
import { loadConfig, parseConfig } from "../../config/load.ts";
import type { Override } from "../../config/load.ts";
import { FORWARD_PROCESS_NAMES } from "../../diffusion/processes/registry.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

const parse = (...overrides: Override[]) => parseConfig("{}", { path: "config/x.json", overrides });
const refusal = (...overrides: Override[]) => assertThrows(() => parse(...overrides)).message;

Deno.test("parseConfig() refuses the printed spectrum loss with its reason, unless it is allowed", () => {
  const printed: Override[] = [
    ["diffusion.spectralLoss.lambda", "1"],
    ["diffusion.spectralLoss.mode", "printed"],
  ];
  const message = refusal(...printed);
  for (const part of ["diffusion.spectralLoss.mode", "identically 0", "allowPrinted=true"]) {
    assertStringIncludes(message, part);
  }
  assertEquals(parse(printed[1]!).diffusion.spectralLoss.lambda, 0);
  assert(parse(...printed, ["diffusion.spectralLoss.allowPrinted", "true"]));
});

Deno.test("parseConfig() knows tMax as a number or auto, below the timesteps where it is used", () => {
  assertEquals(parse(["diffusion.tMax", "auto"]).diffusion.tMax, "auto");
  assertEquals(parse(["diffusion.tMax", "50"]).diffusion.tMax, 50);
  assertStringIncludes(refusal(["diffusion.tMax", "often"]), 'must be "auto" or a whole number');
  const reweighted: Override = ["diffusion.timestepSampler.name", "reweighted"];
  assertStringIncludes(
    refusal(reweighted, ["diffusion.tMax", "1000"]),
    "diffusion.tMax must be below diffusion.timesteps, 1000",
  );
  assertEquals(parse(["diffusion.tMax", "1000"]).diffusion.tMax, 1000);
});

Deno.test("parseConfig() refuses more bins than timesteps, and bands without weight", () => {
  const adaptive: Override = ["diffusion.timestepSampler.name", "adaptive"];
  assertStringIncludes(
    refusal(adaptive, ["diffusion.timestepSampler.bins", "1001"]),
    "must be at most diffusion.timesteps",
  );
  assertStringIncludes(
    refusal(["diffusion.spectralLoss.lambda", "1"], ["diffusion.spectralLoss.bands", "[0, 0]"]),
    "must have a weight above 0",
  );
  const { spectralLoss } = parse(["diffusion.spectralLoss.bands", "[0, 1, 4]"]).diffusion;
  assertEquals(spectralLoss.bands, [0, 1, 4]);
});

Deno.test("loadConfig() accepts every run of config/spectral without warnings", async () => {
  const folder = new URL("../../config/spectral/", import.meta.url), used = new Set<string>();
  for (const { name } of Deno.readDirSync(folder)) {
    const path = decodeURIComponent(new URL(name, folder).pathname);
    if ("seeds" in JSON.parse(await Deno.readTextFile(path))) continue;
    const config = await loadConfig(path);
    assertEquals(configWarnings(config), []);
    const { process, spectralForcing, timestepSampler } = config.diffusion;
    used.add(spectralForcing.on ? "forcing" : timestepSampler.name === "beta" ? "beta" : process);
  }
  for (const name of [...FORWARD_PROCESS_NAMES, "forcing", "beta"]) {
    assert(name === "ddpm" || used.has(name), `there must be a config of ${name}`);
  }
});

Deno.test("configWarnings() tells that Spectral Forcing hides the noise that a network must tell", () => {
  const on: Override = ["diffusion.spectralForcing.on", "true"];
  const [warning = ""] = configWarnings(parse(on));
  assertStringIncludes(
    warning,
    "hides noise that the network must tell for diffusion.target epsilon",
  );
  assertEquals(configWarnings(parse(on, ["diffusion.target", "v"])), []);
});

Deno.test("configWarnings() tells that a network which says the mean itself learns late", () => {
  const xprev: Override = ["diffusion.target", "xprev"];
  const [warning = ""] = configWarnings(parse(xprev, ["diffusion.xprevOutput", "mean"]));
  assertStringIncludes(warning, "diffusion.xprevOutput mean asks the network to copy its input");
  assertEquals(configWarnings(parse(xprev)), []);
});

Deno.test("configWarnings() tells that a score without a weighting counts levels of little noise alone", () => {
  const score: Override = ["diffusion.target", "score"];
  const [warning = ""] = configWarnings(parse(score));
  assertStringIncludes(warning, "score without a weighting counts levels by 1 / noise^2");
  for (
    const remedy of [["lossOn", "epsilon"], ["weighting", "epsilon-loss"], ["weighting", "min-snr"]]
  ) {
    assertEquals(configWarnings(parse(score, [`diffusion.${remedy[0]}`, remedy[1]!])), []);
  }
});

Deno.test("parseConfig() refuses a cut that moves in, and auxiliary losses by the loss's levels by frequency", () => {
  const on: Override = ["diffusion.spectralForcing.on", "true"];
  assertStringIncludes(
    refusal(on, ["diffusion.spectralForcing.least", "1.5"]),
    "diffusion.spectralForcing.most must be at least diffusion.spectralForcing.least, 1.5",
  );
  const wavelet: Override = ["diffusion.auxiliary.wavelet.weight", "1"];
  const byLoss: Override = ["diffusion.auxiliary.wavelet.levels", "loss"];
  assertStringIncludes(
    refusal(["diffusion.process", "power"], wavelet, byLoss),
    "diffusion.auxiliary.wavelet.levels must be noise or image where process is power",
  );
  assert(parse(["diffusion.process", "power"], wavelet));
});

Deno.test("parseConfig() refuses learned variances and the spectrum loss by frequency, with the reason", () => {
  const power: Override = ["diffusion.process", "power"];
  const learned = refusal(
    ...[power, ["model.name", "guided"], ["model.learnedVariance", "true"]] as Override[],
    ["diffusion.variance", "learned-range"],
  );
  assertStringIncludes(learned, "coloured noise ties pixels together");
  assertStringIncludes(
    refusal(power, ["diffusion.spectralLoss.lambda", "1"]),
    "losses of diffusion.auxiliary work at every level",
  );
});
