/**
 * Recorded networks of NVlabs/edm in their preconditioners.
 *
 * @module
 */
import type { PytorchConstant } from "../../../model/names/pytorch.ts";
import { fromEdmArguments } from "../../../model/networks/edm/arguments.ts";
import { edmNames } from "../../../model/networks/edm/names.ts";
import { EdmUNet, type Told } from "../../../model/networks/edm/unet.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { nearestLevel } from "../../../diffusion/preconditionings/iddpm.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { Pass, RecordPass } from "../replayed_pass.ts";
import {
  type Ask,
  denoised,
  lossMap,
  lossOf,
  preconditioningOf,
  type Recorded,
} from "./edm_preconditioning.ts";

/** Our network of a preconditioner's arguments. */
function edmNetwork(config: Recorded): EdmUNet {
  const { options, shape } = fromEdmArguments(String(config.precond), config);
  const network = createNetwork(options, shape);
  if (!(network instanceof EdmUNet)) throw new Unsupported("such a network is not known");
  return network;
}

/** Networks in EDMPrecond, VPPrecond, VEPrecond and iDDPMPrecond. */
export const EDM: RecordedNetwork = {
  family: "edm",
  rebuild(golden, state) {
    const config = golden.manifest.config as Recorded;
    const network = edmNetwork(config);
    const levels = state.get("u");
    const constants: PytorchConstant[] = levels
      ? [{ kind: "constant", pytorchName: "u", pytorchShape: levels.shape }]
      : [];
    const own = preconditioningOf(String(config.precond), config, levels?.data);

    const asks = (pass: Pass, told: Told = toldOf(pass)): Ask => (x, condition) =>
      network.predict(pass.graph, x, condition, told);
    const around = (pass: Pass, told?: Told) => ({
      out: denoised(pass, preconditioningIn(pass), {
        x: pass.image("x"),
        sigma: pass.recorded("sigma"),
        ask: asks(pass, told),
      }),
    });
    const preconditioningIn = ({ args }: Pass) =>
      args.precond === undefined
        ? own
        : preconditioningOf(String(args.precond), args, levels?.data);
    const loss: RecordPass = (pass) => {
      const draw = lossOf(String(pass.args.loss), pass.args);
      return lossMap(pass, { draw, preconditioning: preconditioningIn(pass), ask: asks(pass) });
    };
    return {
      network,
      names: edmNames(network, constants),
      passes: {
        "": (pass) => around(pass),
        "uncond": (pass) => around(pass, {}),
        "raw": (pass) => {
          const [x, level] = [pass.image("x"), pass.numbers("noise_labels")];
          return { out: network.predictAll(pass.graph, x, level, toldOf(pass)) };
        },
        "label_dropout": (pass) => around(pass, keptClasses(pass, network.options.labelDropout)),
        "round_sigma": (pass) => {
          const sigmas = Array.from(pass.recorded("sigmas"));
          return {
            out: sigmas.map((sigma) => own.round(sigma)),
            index: sigmas.map((sigma) => nearestLevel(levels!.data, sigma)),
          };
        },
      },
      passOf: ({ loss: named, precond }) =>
        named !== undefined ? loss : precond !== undefined ? (pass) => around(pass) : undefined,
    };
  },
};

/** Recorded classes and augmentations. */
function toldOf(pass: Pass): Told {
  const given = (name: string) =>
    pass.has(name) ? pass.graph.constant(pass.numbers(name)) : undefined;
  return { classes: given("labels"), augment: given("augment") };
}

/** The same with the classes that training would have kept, of recorded uniform numbers. */
function keptClasses(pass: Pass, dropout: number): Told {
  const drawn = pass.recorded("dropout_u"), labels = pass.recorded("labels");
  const size = labels.length / drawn.length;
  const kept = Float32Array.from(
    labels,
    (label, i) => drawn[Math.floor(i / size)]! >= dropout ? label : 0,
  );
  const { graph } = pass;
  const rows = graph.capture.constant([drawn.length, size], kept, "kept classes");
  return { ...toldOf(pass), classes: graph.constant(rows) };
}
