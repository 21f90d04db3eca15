/**
 * Run by compile.ts on null hardware: writes down the training step of a config as it would run on that
 * card, compiles each of its kernels, and prints a JSON line for each. Nothing runs.
 *
 * @module
 */
import { loadConfig, type Override } from "../../config/load.ts";
import { imageSet } from "../../data/dataset.ts";
import { imageShape } from "../../data/options.ts";
import type { Dispatch } from "../../device/dispatch.ts";
import type { Gpu } from "../../device/gpu.ts";
import { openGpu } from "../../device/open_gpu.ts";
import { type Kernel, shaderCode } from "../../device/kernel.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { setVariantPolicy, type VariantFamily } from "../../kernels/shared/variants.ts";
import { standInLatents } from "../../training/network_shape.ts";
import { networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";

/** What the child is asked for. */
export interface Request {
  /** Path of the config. */
  readonly config: string;
  readonly overrides: readonly Override[];
  /** The family of kernels that is forced; the choice of such a card unless given. */
  readonly variant?: VariantFamily | undefined;
  /** Only kernels whose names match this pattern. */
  readonly match: string;
  /** Folder that the layer writes to. */
  readonly folder: string;
}

/** One kernel of the step, compiled. */
export interface CompiledKernel {
  readonly name: string;
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** Its dispatches in a step. */
  readonly dispatches: readonly { workgroups: number; multiplyAdds: number; bytes: number }[];
  /** What the driver says of it, and lanes of its waves as `wave`. */
  readonly statistics: Readonly<Record<string, number>>;
  /** Disassembly. */
  readonly code: string;
}

async function dispatchesOf(gpu: Gpu, request: Request): Promise<Dispatch[]> {
  const config = await loadConfig(request.config, request.overrides);
  const planning = planningGpu(gpu, { unlimited: true });
  setVariantPolicy(planning, request.variant ? { forced: request.variant } : {});
  const { height, width, channels } = imageShape(config.data);
  const images = imageSet("none", {
    ...{ images: new Uint8Array(height * width * channels), labels: new Uint8Array(1), count: 1 },
    ...{ height, width, channels, ...standInLatents(config, 1) },
  });
  const { gradients, ending } = Trainer.record(planning, config, networkOf(config), images);
  return [...gradients.dispatches, ...ending.dispatches];
}

async function compile(gpu: Gpu, kernel: Kernel, folder: string) {
  // The layer writes what was compiled last.
  await gpu.pipeline(kernel);
  const read = (name: string) => Deno.readTextFileSync(`${folder}/${name}`);
  return { statistics: JSON.parse(read("statistics")), code: read("code") };
}

if (import.meta.main) {
  const request: Request = JSON.parse(Deno.args[0]!);
  const gpu = await openGpu({ platform: Deno.build.os });
  const match = new RegExp(request.match);
  const wanted = (await dispatchesOf(gpu, request)).filter(({ kernel }) => match.test(kernel.name));
  const byCode = Map.groupBy(wanted, ({ kernel }) => shaderCode(kernel, new Set()));
  for (const dispatches of byCode.values()) {
    const { kernel } = dispatches[0]!;
    const compiled: CompiledKernel = {
      name: kernel.name,
      invocations: kernel.workgroupSize.reduce((a, b) => a * b),
      dispatches: dispatches.map(({ workgroups: [x, y, z], work }) => ({
        workgroups: x * y * z,
        ...work,
      })),
      ...await compile(gpu, kernel, request.folder),
    };
    console.log(JSON.stringify(compiled));
  }
}
