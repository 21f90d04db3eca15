/**
 * The family dinov2: tokens and features of small vision transformers, with weights and images made from
 * a hash of their names.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { dinoV2Weights } from "../../metrics/judges/features/dinov2_weights.ts";
import type { StateTensor } from "../../metrics/judges/features/inception_weights.ts";
import { createArena, parameterSlots, writeArenas } from "../../model/parameters.ts";
import { checkRecorded } from "./feature_checks.ts";
import { type CaseName, type CaseResult, Comparison, type GoldenFile, replay } from "./golden.ts";
import { hashedTensor } from "./inception.ts";
import { fromTorch, IMAGE } from "./layout.ts";

const FAMILY = "dinov2";
/** Side of a patch in pixels, and spread of what stands for images. */
const PATCH = 14, SPREAD = 2;

/** A recorded network and the grids of patches that it saw. */
interface Case {
  readonly salt: number;
  readonly state_dict: readonly (readonly [name: string, shape: readonly number[]])[];
  readonly grids: Readonly<Record<string, readonly [rows: number, columns: number]>>;
}

/** Replays the family. */
export async function* verifyDinoV2(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const cases = Object.entries(golden.manifest.cases as Readonly<Record<string, Case>>);
  for (const [name, recorded] of cases) {
    const state = new Map(
      recorded.state_dict.map(([name, shape]) =>
        [name, hashedTensor(name, shape, recorded.salt, weightOf(name, shape))] as const
      ),
    );
    for (const [grid, [rows, columns]] of Object.entries(recorded.grids)) {
      const one = { case: `${name}.${grid}`, family: FAMILY, op: "network" };
      const shape = [2, 3, PATCH * rows, PATCH * columns];
      const x = hashedTensor(grid, shape, recorded.salt, (u) => (2 * u - 1) * SPREAD);
      yield* replay(
        one,
        () => verifyGrid(gpu, golden, { one, state, x, path: `${name}/${grid}/` }),
      );
    }
  }
}

/** From a number in [0, 1) to a weight: matrices by their fan-in, factors about 1. */
function weightOf(name: string, shape: readonly number[]): (u: number) => number {
  if (shape.length !== 3 && shape.length > 1 && name.endsWith(".weight")) {
    const limit = Math.sqrt(6 / shape.slice(1).reduce((a, b) => a * b, 1));
    return (u) => (2 * u - 1) * limit;
  }
  if (/gamma$|norm\d?\.weight$/.test(name)) return (u) => 1 + Math.fround((2 * u - 1) * 0.5);
  return (u) => (2 * u - 1) * 0.5;
}

async function verifyGrid(
  gpu: Gpu,
  golden: GoldenFile,
  { one, state, x, path }: {
    readonly one: CaseName;
    readonly state: ReadonlyMap<string, StateTensor>;
    readonly x: StateTensor;
    readonly path: string;
  },
): Promise<CaseResult> {
  const { data, shape } = fromTorch(x, IMAGE), [, height = 0, width = 0] = shape;
  const { network, values } = dinoV2Weights(state, { height, width });
  const arena = createArena(gpu, "DINOv2", network);
  writeArenas(gpu, [arena], values);
  const capture = new Capture(gpu, "DINOv2");
  const graph = new Graph(capture, { parameters: parameterSlots(network, arena) });
  const kept = new Map<string, ReturnType<Capture["keep"]>>();
  const features = network.forward(graph.constant(capture.input("x", shape)), (i, tokens) => {
    kept.set(`block${i}`, capture.keep(tokens.ref));
  });
  kept.set("features", capture.keep(features.ref));
  const program = await capture.plan();
  program.run({ x: data });
  const comparison = new Comparison(one.case, one.family, one.op);
  for (const [name, tensor] of kept) {
    checkRecorded(golden, comparison, path + name, await program.readF32(tensor));
  }
  program.destroy();
  arena.destroy(gpu);
  return comparison.result();
}
