/**
 * Preconditioners of EDM around recorded networks: the denoised image of given sigmas, and the losses
 * of given draws.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { exp } from "../../../autograd/ops/exp.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import { sum } from "../../../autograd/ops/reduce.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import type { Preconditioning, SigmaDraw } from "../../../diffusion/preconditioning.ts";
import { edmDraw, edmPreconditioning } from "../../../diffusion/preconditionings/edm.ts";
import { iddpmPreconditioning } from "../../../diffusion/preconditionings/iddpm.ts";
import { veDraw, vePreconditioning } from "../../../diffusion/preconditionings/ve.ts";
import { vpDraw, vpPreconditioning } from "../../../diffusion/preconditionings/vp.ts";
import { Unsupported } from "../golden.ts";
import type { Pass } from "../replayed_pass.ts";

/** Arguments of a preconditioner or of a loss, as recorded. */
export type Recorded = Readonly<Record<string, unknown>>;

const numberOf = (value: unknown) => typeof value === "number" ? value : undefined;

/** Keys whose recorded value is a number, under our names. */
function numbers<K extends string>(
  args: Recorded,
  names: Readonly<Record<K, string>>,
): { [Key in K]?: number } {
  const found: { [Key in K]?: number } = {};
  for (const ours of Object.keys(names) as K[]) {
    const value = numberOf(args[names[ours]]);
    if (value !== undefined) found[ours] = value;
  }
  return found;
}

const VP_NAMES = {
  betaRange: "beta_d",
  betaMin: "beta_min",
  timeMin: "epsilon_t",
  timesteps: "M",
} as const;
const VE_NAMES = { sigmaMin: "sigma_min", sigmaMax: "sigma_max" } as const;

/** The preconditioner of a name. */
export function preconditioningOf(
  name: string,
  args: Recorded,
  levels?: ArrayLike<number>,
): Preconditioning {
  switch (name) {
    case "EDMPrecond":
      return edmPreconditioning(numbers(args, { sigmaData: "sigma_data" }));
    case "VPPrecond":
      return vpPreconditioning(numbers(args, VP_NAMES));
    case "VEPrecond":
      return vePreconditioning(numbers(args, VE_NAMES));
    case "iDDPMPrecond":
      return iddpmPreconditioning({
        ...numbers(args, { timesteps: "M", leastKept: "C_1", offset: "C_2" }),
        ...levels ? { levels } : {},
      });
  }
  throw new Unsupported(`the preconditioner ${name} is not known`);
}

/** The draw of a loss. */
export function lossOf(name: string, args: Recorded): SigmaDraw {
  const edm = { mean: "P_mean", deviation: "P_std", sigmaData: "sigma_data" } as const;
  switch (name) {
    case "EDMLoss":
      return edmDraw(numbers(args, edm));
    case "VPLoss":
      return vpDraw(numbers(args, VP_NAMES));
    case "VELoss":
      return veDraw(numbers(args, VE_NAMES));
  }
  throw new Unsupported(`the loss ${name} is not known`);
}

/** A number for each image, of the shape that multiplies images. */
export function perImage(pass: Pass, label: string, values: ArrayLike<number>): Tensor {
  const data = Float32Array.from(values);
  const shape = [data.length, 1, 1, 1];
  return pass.graph.constant(pass.graph.capture.constant(shape, data, label));
}

/** What the network is told of sigmas, `[N]`. */
export function conditionOf(
  pass: Pass,
  preconditioning: Preconditioning,
  sigma: ArrayLike<number>,
): TensorRef {
  const values = Float32Array.from(sigma, (value) => preconditioning.at(value).condition);
  return pass.graph.capture.constant([values.length], values, "condition");
}

/** Asks a network for its output, of what is multiplied and told. */
export type Ask = (x: Tensor, condition: TensorRef) => Tensor;

/** D(x; sigma) of each image. */
export function denoised(
  pass: Pass,
  preconditioning: Preconditioning,
  { x, sigma, ask }: { readonly x: Tensor; readonly sigma: ArrayLike<number>; readonly ask: Ask },
): Tensor {
  const at = Array.from(sigma, (value) => preconditioning.at(value));
  const share = (key: "skip" | "output" | "input") =>
    perImage(pass, key, at.map((one) => one[key]));
  const output = ask(mul(x, share("input")), conditionOf(pass, preconditioning, sigma));
  return add(mul(x, share("skip")), mul(output, share("output")));
}

/** The map of a loss of recorded images and noise, and its sum a sample. */
export function lossMap(
  pass: Pass,
  { draw, preconditioning, ask, uncertainty }: {
    readonly draw: SigmaDraw;
    readonly preconditioning: Preconditioning;
    readonly ask: Ask;
    /** ln of the variance that a network expects, `[N, 1, 1, 1]`, of what it is told. */
    readonly uncertainty?: (condition: TensorRef) => Tensor;
  },
): { out: Tensor; loss: Tensor } {
  const drawn = pass.recorded(draw.from === "normal" ? "rnd_normal" : "rnd_uniform");
  const sigma = Array.from(drawn, (value) => draw.sigma(value));
  const clean = pass.constant("images");
  const x = add(clean, mul(pass.constant("noise"), perImage(pass, "sigma", sigma)));
  const error = add(denoised(pass, preconditioning, { x, sigma, ask }), scale(clean, -1));
  const weights = perImage(pass, "weights", sigma.map((value) => draw.weight(value)));
  const plain = mul(mul(error, error), weights);
  const expected = uncertainty?.(conditionOf(pass, preconditioning, sigma));
  const out = expected ? add(mul(plain, exp(scale(expected, -1))), expected) : plain;
  return { out, loss: scale(sum(out), 1 / sigma.length) };
}
