/**
 * The flags of a training run of w86763777/pytorch-ddpm, as its `flagfile.txt` has them, in the words
 * of our config.
 *
 * @module
 */

/** Parts of a config, and the side of the images. */
export interface Flags {
  readonly size?: number;
  readonly model: Readonly<Record<string, unknown>>;
  readonly diffusion: Readonly<Record<string, unknown>>;
  readonly optim: Readonly<Record<string, unknown>>;
  readonly train: Readonly<Record<string, unknown>>;
}

/** No flags. */
export const NO_FLAGS: Flags = { model: {}, diffusion: {}, optim: {}, train: {} };

/** Flags by name, and the dotted key of ours that each sets. Those of the shapes are left out. */
const KEYS: Readonly<Record<string, string>> = {
  dropout: "model.dropout",
  beta_1: "diffusion.betaStart",
  beta_T: "diffusion.betaEnd",
  var_type: "diffusion.variance",
  lr: "optim.lr",
  grad_clip: "optim.gradClip",
  warmup: "optim.warmupSteps",
  total_steps: "train.steps",
  batch_size: "train.batchSize",
  sample_size: "train.sampleCount",
  sample_step: "train.sampleEvery",
  save_step: "train.checkpointEvery",
};

/**
 * Reads a flag file: one `--name=value` a line. Flags that mean nothing here are passed over.
 *
 * @throws {SyntaxError} When a line is no flag.
 */
export function parseFlagfile(text: string): Flags {
  const tree: Record<string, Record<string, unknown>> = {
    model: {},
    diffusion: {},
    optim: {},
    train: {},
  };
  let size: number | undefined;
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#.*|\/\/.*)?$/.test(line)) continue;
    const [, name = "", value = ""] = /^\s*--?(\w+)(?:=(.*))?\s*$/.exec(line) ?? [];
    if (name === "") {
      throw new SyntaxError(
        `Cannot read flags: line ${i + 1} must be --name=value, got ${
          JSON.stringify(line.slice(0, 60))
        }`,
      );
    }
    const given = /^[-+\d.]/.test(value) ? Number(value) : value.replace(/^'(.*)'$/, "$1");
    if (name === "img_size") size = Number(given);
    if (name === "ema_decay") tree.optim!.ema = { decay: given, warmup: false };
    const key = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    const [section = "", field = ""] = key?.split(".") ?? [];
    if (key) tree[section]![field] = given;
  }
  const { model, diffusion, optim, train } = tree as unknown as Flags;
  return { ...(size === undefined ? {} : { size }), model, diffusion, optim, train };
}
