/**
 * `deno task isa`: what a graphics card would run, without one. Compiles the kernels of a config's
 * training step with Mesa's RADV for an AMD chip, and counts what is in their hot loops.
 *
 * Static counts: caches, latency, clocks, bank conflicts and launches are not in them, so bounds are
 * ceilings, no forecasts; and the compiler is one of several.
 *
 * @module
 */
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { integer } from "../../support/numbers.ts";
import { PORTABLE_FAMILIES } from "../../kernels/shared/variants.ts";
import { type ChipName, CHIPS } from "./chips.ts";
import { compileStep } from "./compile.ts";
import { reportKernels, reportText } from "./report.ts";

const command = defineCommand({
  name: "isa",
  summary: "Count the machine code of a training step's kernels for a graphics card.",
  description:
    "Needs no card: Mesa's RADV compiles on null hardware. Needs gcc, Vulkan's headers and RADV, " +
    "Debian's gcc, libvulkan-dev and mesa-vulkan-drivers. bound % is the share of the FP32 peak that " +
    "the hot loop leaves if nothing ever waits, ahead the multiply-adds between a load and its wait.",
  options: {
    config: { value: "PATH", default: "config/cifar10.json", description: "the run's config" },
    chip: {
      value: "NAME",
      choices: Object.keys(CHIPS) as ChipName[],
      default: "navi21",
      description: "cards compiled for: RDNA2 (navi21) or RDNA3 (navi31)",
    },
    wave: {
      value: "LANES",
      choices: ["32", "64"],
      description: "lanes of a wave; the driver's choice by default",
    },
    variant: {
      value: "FAMILY",
      choices: PORTABLE_FAMILIES,
      description: "force this family of kernels; what such a card gets by default",
    },
    mesa: { value: "DIR", description: "folder where the packages of another Mesa are unpacked" },
    match: { value: "REGEX", default: "", description: "only kernels whose name matches" },
    top: { value: "N", parse: integer({ min: 1 }), description: "only the N longest kernels" },
    json: { value: "FILE", description: "write all counts there" },
    code: { value: "DIR", description: "write the disassembly of each kernel there" },
  },
  overrides: "sets a key of the config, as in --train.batchSize=64",
  examples: [
    { args: "", does: "the CIFAR-10 step on RDNA2" },
    {
      args: "--chip navi31 --wave 32 --match conv2d --top 10",
      does: "the longest convolutions on RDNA3, with waves of 32 lanes",
    },
    {
      args: "--variant tiled --match ^attention",
      does: "attention as it is streamed, which the default is only where probabilities are large",
    },
  ],
});

if (import.meta.main) {
  await runCommand(command, async ({ options, overrides }) => {
    const { chip, wave, json, code, top, ...asked } = options;
    const kernels = await compileStep({
      ...asked,
      chip,
      overrides,
      wave: wave === "32" ? 32 : wave === "64" ? 64 : undefined,
    });
    const reports = reportKernels(kernels, chip);
    if (code) {
      Deno.mkdirSync(code, { recursive: true });
      for (const [i, { name, code: text }] of kernels.entries()) {
        Deno.writeTextFileSync(`${code}/${i}-${name}.s`, text);
      }
    }
    if (json) Deno.writeTextFileSync(json, JSON.stringify({ chip, kernels: reports }, null, 1));
    console.log(reportText(reports, chip, top));
  });
}
