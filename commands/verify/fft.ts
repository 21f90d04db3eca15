/**
 * The cases of the family ops that are Fourier transforms, and what is made of them.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { amplitude, fft2, ifft2, log1pAmplitude, logAmplitude } from "../../autograd/ops/fft.ts";
import { l1Loss } from "../../autograd/ops/losses.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { budgetOf, type CaseResult, Comparison, type GoldenFile, type Recorded } from "./golden.ts";
import { IMAGE, permute, toTorch } from "./layout.ts";
import { input, type OpCase, type OpRunner } from "./op_case.ts";

const layouts = () => ({ x: IMAGE, out: IMAGE });

/** Cases with one real output. */
export const FFT_RUNNERS: Readonly<Record<string, OpRunner>> = {
  fft_amplitude: { layouts, run: (inputs) => amplitude(fft2(input(inputs, "x"))) },
  fft_log_amplitude: { layouts, run: (inputs) => logAmplitude(fft2(input(inputs, "x"))) },
  fft_log1p_amplitude: { layouts, run: (inputs) => log1pAmplitude(fft2(input(inputs, "x"))) },
  fft_amplitude_l1: {
    layouts: () => ({ x: IMAGE, y: IMAGE }),
    run: (inputs) => {
      const spectrum = (name: string) => amplitude(fft2(input(inputs, name), { norm: "ortho" }));
      return l1Loss(spectrum("x"), spectrum("y"));
    },
  },
};

/** `[N, C, H, W]` real and imaginary parts as one `[N, H, W, C, 2]`. */
function interleave(re: Recorded, im: Recorded) {
  const parts = [re, im].map(({ data, shape }) => permute(data, shape, IMAGE!));
  const [{ data: real, shape }, { data: imaginary }] = parts as [typeof parts[0], typeof parts[0]];
  const data = new Float32Array(2 * real.length);
  for (let i = 0; i < real.length; i++) {
    data[2 * i] = real[i]!;
    data[2 * i + 1] = imaginary[i]!;
  }
  return { data, shape: [...shape, 2] };
}

/** Replays a complex transform, whose tensors are recorded as `re` and `im`. */
async function complexCase(gpu: Gpu, golden: GoldenFile, entry: OpCase): Promise<CaseResult> {
  const capture = new Capture(gpu, entry.case);
  const graph = new Graph(capture);
  const upload = (name: string) => {
    const part = (suffix: string) => golden.get(`${entry.case}/${name}.${suffix}`);
    const { data, shape } = interleave(part("re"), part("im"));
    return gpu.tensor(shape, { data, label: name });
  };
  const x = graph.variable(upload("in"));
  const gout = upload("gout");
  const norm = entry.attrs.norm === "ortho" ? "ortho" : "backward";
  const out = (entry.op === "fft2" ? fft2 : ifft2)(x, { norm });
  const grad = graph.backward(out, gout).get(x)!;
  for (const ref of [out.ref, grad]) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const results = { out: await program.readF32(out.ref), grad: await program.readF32(grad) };
  const comparison = new Comparison(entry.case, "ops", entry.op);
  for (const [key, [error, size]] of Object.entries(entry.f32_vs_f64_maxabs_and_scale ?? {})) {
    const [name, part] = key.split(".") as ["out" | "grad", "re" | "im"];
    const expected = golden.get(`${entry.case}/${key}`);
    const ours = results[name].filter((_, i) => i % 2 === (part === "re" ? 0 : 1));
    const actual = toTorch(ours, expected.shape, IMAGE);
    comparison.check(key, actual, expected.data, budgetOf(error, size));
  }
  program.destroy();
  for (const ref of [x.ref, gout]) gpu.destroyTensor(ref);
  return comparison.result();
}

/** Cases with a complex output, by operator name. */
export const FFT_CASES: Readonly<Record<string, typeof complexCase>> = {
  fft2: complexCase,
  ifft2: complexCase,
};
