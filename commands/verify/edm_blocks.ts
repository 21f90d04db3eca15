/**
 * Replays residual blocks of NVlabs/edm alone.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { mseLoss } from "../../autograd/ops/losses.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { Block, tell } from "../../model/networks/edm/block.ts";
import { pytorch } from "../../model/networks/edm/layers.ts";
import { edmBlockNames } from "../../model/networks/edm/names.ts";
import { checkTensors, fromPytorch, toPytorch } from "../../model/names/pytorch.ts";
import { createArena, parameterSlots, readArena, writeArenas } from "../../model/parameters.ts";
import { budgetOf, type CaseResult, Comparison, type GoldenFile, replay } from "./golden.ts";
import { channelsLast, fromTorch, toTorch } from "./layout.ts";

/** A case of the manifest. */
interface BlockCase {
  readonly config: {
    readonly in_channels: number;
    readonly out_channels: number;
    readonly emb_channels: number;
    readonly up?: boolean;
    readonly down?: boolean;
    readonly skip_scale?: number;
    readonly eps?: number;
    readonly resample_filter?: readonly number[];
    readonly resample_proj?: boolean;
    readonly adaptive_scale?: boolean;
  };
  /** As the block has worked it out. */
  readonly num_heads: number;
  readonly state_dict: readonly (readonly [name: string, shape: readonly number[]])[];
}

/** The block of a case; dropout does nothing in what is recorded. */
function blockOf({ config, num_heads: heads }: BlockCase): Block {
  const resample = config.up ? "up" : config.down ? "down" : undefined;
  return new Block(
    { inputs: config.in_channels, outputs: config.out_channels, resample, heads },
    {
      embedding: config.emb_channels,
      adaptiveScale: config.adaptive_scale ?? true,
      skipScale: config.skip_scale ?? 1,
      eps: config.eps ?? 1e-5,
      dropout: 0,
      taps: config.resample_filter ?? [1, 1],
      resampleProjection: config.resample_proj ?? false,
      start: { layer: pytorch, attention: pytorch, last: pytorch },
    },
  );
}

/** Every case of the file. */
export async function* verifyEdmBlocks(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  const cases = golden.manifest.cases as Readonly<Record<string, BlockCase>>;
  for (const [name, one] of Object.entries(cases)) {
    const title = { case: name, family: "edm-blocks", op: "block" };
    yield* replay(title, () => verifyBlock(gpu, golden, name, one));
  }
}

async function verifyBlock(
  gpu: Gpu,
  golden: GoldenFile,
  name: string,
  one: BlockCase,
): Promise<CaseResult> {
  const block = blockOf(one);
  const entries = edmBlockNames(block);
  checkTensors(
    "a recorded block",
    entries,
    new Map(one.state_dict.map(([n, shape]) => [n, { shape }])),
  );
  const weights = createArena(gpu, "weights", block), grads = createArena(gpu, "gradients", block);
  const learned = entries.flatMap((entry) => entry.kind === "parameter" ? [entry] : []);
  writeArenas(
    gpu,
    [weights],
    learned.map((entry) => {
      const data = golden.f32(`${name}/param/${entry.pytorchName}`);
      return [entry.name, fromPytorch(entry, { shape: entry.pytorchShape, data })] as const;
    }),
  );
  const capture = new Capture(gpu, name);
  const graph = new Graph(capture, { parameters: parameterSlots(block, weights, grads) });
  const image = (key: string) => {
    const recorded = golden.get(`${name}/${key}`);
    const { data, shape } = fromTorch(recorded, channelsLast(recorded.shape.length));
    return capture.constant(shape, data, key);
  };
  const emb = golden.get(`${name}/emb`);
  const told = graph.variable(capture.constant(emb.shape, Float32Array.from(emb.data), "emb"));
  const x = graph.variable(image("x"));
  const out = block.forward(x, tell(told, [block])(block));
  const found = graph.backward(mseLoss(out, graph.constant(image("target"))));
  const kept = { out: out.ref, grad_x: found.get(x)!, grad_emb: found.get(told)! };
  for (const ref of Object.values(kept)) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const errors = golden.manifest.max_abs_f32_vs_f64 as Readonly<
    Record<string, { max_abs_f32_vs_f64: number; scale_absmax_f64: number }>
  >;
  const comparison = new Comparison(name, "edm-blocks", "block");
  const check = (key: string, values: ArrayLike<number>) => {
    const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = errors[`${name}/${key}`]!;
    comparison.check(key, values, golden.get(`${name}/${key}`).data, budgetOf(e, s));
  };
  for (const [key, ref] of Object.entries(kept)) {
    const { shape } = golden.get(`${name}/${key}`);
    check(key, toTorch(await program.readF32(ref), shape, channelsLast(shape.length)));
  }
  const own = new Map<string, Float32Array<ArrayBuffer>>();
  for await (const [parameter, values] of readArena(gpu, grads)) own.set(parameter, values);
  for (const entry of learned) {
    check(`grad/${entry.pytorchName}`, toPytorch(entry, own.get(entry.name)!).data);
  }
  program.destroy();
  for (const arena of [weights, grads]) arena.destroy(gpu);
  return comparison.result();
}
