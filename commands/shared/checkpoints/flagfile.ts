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
export const FLAG_KEYS: Readonly<Record<string, string>> = {
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
 * The flags in a text, one a line, in order: `--name=value`, or `--name` with an empty value. Blank
 * lines and those that begin with # or // are none.
 *
 * @throws {SyntaxError} When a line is no flag.
 */
export function flagLines(text: string): [name: string, value: string][] {
  return text.split(/\r?\n/).flatMap((line, i): [string, string][] => {
    if (/^\s*(#.*|\/\/.*)?$/.test(line)) return [];
    const [, name = "", value = ""] = /^\s*--?(\w+)(?:=(.*?))?\s*$/.exec(line) ?? [];
    if (name === "") {
      throw new SyntaxError(
        `Cannot read flags: line ${i + 1} must be --name=value, got ${
          JSON.stringify(line.slice(0, 60))
        }`,
      );
    }
    return [[name, value.replace(/^'(.*)'$/, "$1")]];
  });
}

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
  for (const [name, value] of flagLines(text)) {
    const given = value === "" || Number.isNaN(Number(value)) ? value : Number(value);
    if (name === "img_size") size = Number(given);
    if (name === "ema_decay") tree.optim!.ema = { decay: given, warmup: false };
    const key = Object.hasOwn(FLAG_KEYS, name) ? FLAG_KEYS[name] : undefined;
    const [section = "", field = ""] = key?.split(".") ?? [];
    if (key) tree[section]![field] = given;
  }
  const { model, diffusion, optim, train } = tree as unknown as Flags;
  return { ...(size === undefined ? {} : { size }), model, diffusion, optim, train };
}
