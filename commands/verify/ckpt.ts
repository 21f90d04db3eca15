/**
 * The family ckpt: files of torch.save, read tensor by tensor against recorded sums, with damaged and
 * malicious ones refused; and a checkpoint of pytorch-ddpm that runs, goes on training and is written
 * back bit for bit.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Gpu } from "../../device/gpu.ts";
import { PickleDict, PickleTuple } from "../../formats/pickle_values.ts";
import { PtTensor, type PtValue, readPt } from "../../formats/pt.ts";
import { UsageError } from "../../support/errors.ts";
import { readFileChecked } from "../../support/files.ts";
import { halfToFloat } from "../shared/checkpoints/floats.ts";
import { flatten } from "../shared/checkpoints/source.ts";
import { checkSums, type CkptManifest, type RecordedTensor } from "./ckpt_manifest.ts";
import { verifyResume } from "./ckpt_resume.ts";
import { type CaseResult, Comparison, replay, Unsupported } from "./golden.ts";

const FAMILY = "ckpt";

/** What a folder keeps the family in, and this lists the files. */
export const CKPT_INDEX = "ckpt/ckpt.json";

/** Names of files that must be refused. */
const BAD = /^(malicious_.*|corrupt_.*|.*_truncated)\.pt$/;
/** Sums are taken in f64 in another order: this share of the sum of absolute values may differ. */
const SUM_TOLERANCE = 1e-12;

/** Replays the family; `folder` is the one that holds ckpt/. */
export async function* verifyCkpt(gpu: Gpu, folder: string): AsyncGenerator<CaseResult> {
  const place = `${folder}/ckpt`;
  const manifest = await readManifest(`${folder}/${CKPT_INDEX}`);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    yield* replay({ case: name, family: FAMILY, op: "file" }, async () => {
      const bytes = await readFileChecked(`${place}/${name}`);
      if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
        throw new UsageError(`Cannot verify ${FAMILY} of ${folder}: ${name} must match its sha256`);
      }
      return verifyFile(name, bytes, manifest);
    });
  }
  const { resume } = manifest;
  if (!resume) return;
  const name = { case: "resume", family: FAMILY, op: "resume" };
  yield* replay(name, () => verifyResume(gpu, place, manifest, resume));
}

function verifyFile(name: string, bytes: Uint8Array, manifest: CkptManifest): CaseResult[] {
  if (!name.endsWith(".pt")) return []; // Numbers of other cases.
  if (BAD.test(name)) return [verifyRefusal(name, bytes)];
  if (/^dtypes(_legacy)?\.pt$/.test(name)) return [verifyValues(name, bytes, manifest)];
  if (/^ckpt(_legacy)?\.pt$/.test(name)) return [verifyCheckpoint(name, bytes, manifest)];
  throw new Unsupported("nothing is known of what this file must hold");
}

async function readManifest(path: string): Promise<CkptManifest> {
  try {
    return JSON.parse(new TextDecoder().decode(await readFileChecked(path)));
  } catch (error) {
    throw new UsageError(`Cannot verify ${FAMILY}: ${(error as Error).message}`);
  }
}

/** A bad file must end in one clear error. */
function verifyRefusal(name: string, bytes: Uint8Array): CaseResult {
  const comparison = new Comparison(name, FAMILY, "refusal");
  let message = "";
  try {
    readPt(bytes);
  } catch (error) {
    if (error instanceof SyntaxError) ({ message } = error);
  }
  const refused = /^Cannot read [^\n]+$/.test(message);
  comparison.note(refused ? "refused" : "not refused", refused ? 0 : 1, 0, refused);
  return comparison.result();
}

/** Tensors of every type and stride, and values that are no tensors. */
function verifyValues(name: string, bytes: Uint8Array, manifest: CkptManifest): CaseResult {
  const comparison = new Comparison(name, FAMILY, "torch.save");
  const recorded = manifest["dtypes.pt"] ?? {};
  const value = readPt(bytes);
  const dict = value instanceof PickleDict ? value : new PickleDict<PtTensor>();
  const keys = [...dict.keys()].join();
  comparison.note("names", 0, 0, keys === Object.keys(recorded).join());
  for (const [key, expected] of Object.entries(recorded)) {
    const actual = dict.get(key) ?? null;
    if ("python" in expected) {
      const same = JSON.stringify(toPython(actual)) === JSON.stringify(expected.python);
      comparison.note(key, same ? 0 : 1, 0, same);
    } else if (actual instanceof PtTensor) checkTensor(comparison, key, actual, expected);
    else comparison.note(key, 1, 0, false);
  }
  return comparison.result();
}

/** A value as the recording writes it: large integers as text, tuples as lists. */
function toPython(value: PtValue): unknown {
  if (typeof value === "bigint") return `${value}`;
  if (value instanceof PickleTuple) return value.items.map(toPython);
  return Array.isArray(value) ? value.map(toPython) : value;
}

/** A whole checkpoint: both networks, the optimiser, the schedule, the fixed noise. */
function verifyCheckpoint(name: string, bytes: Uint8Array, manifest: CkptManifest): CaseResult {
  const comparison = new Comparison(name, FAMILY, "torch.save");
  const value = readPt(bytes);
  const keys = value instanceof PickleDict ? [...value.keys()].join() : "";
  const { tensors, facts } = flatten(value);
  const { net_model: net = {}, ema_model: ema = {}, optim = {}, layout, x_T } = manifest;
  if (!layout || !x_T) throw new Unsupported("ckpt.json does not describe what it holds");
  const expected = new Map<string, RecordedTensor>();
  const order = layout.param_index_to_name;
  for (const tensor of order) expected.set(`net_model.${tensor}`, net[tensor]!);
  for (const tensor of order) expected.set(`ema_model.${tensor}`, ema[tensor]!);
  for (const index of layout.optim_state_keys) {
    const { step, ...moments } = optim[order[index]!]!;
    const scalar = { dtype: "float32", shape: [], values: [step] };
    expected.set(`optim.state.${index}.step`, scalar);
    for (const [key, tensor] of Object.entries(moments)) {
      expected.set(`optim.state.${index}.${key}`, tensor);
    }
  }
  expected.set("x_T", x_T);
  comparison.note("keys", 0, 0, keys === layout.keys.join());
  const names = [...tensors.keys()].join() === [...expected.keys()].join();
  comparison.note("names", names ? 0 : 1, 0, names);
  for (const [path, recorded] of expected) {
    const tensor = tensors.get(path);
    if (tensor) checkTensor(comparison, path, tensor, recorded);
    else comparison.note(path, 1, 0, false);
  }
  const values = new Map<string, unknown>([["step", layout.step]]);
  for (const [key, fact] of Object.entries(layout.sched)) values.set(`sched.${key}`, fact);
  for (const [i, group] of layout.optim_param_groups.entries()) {
    for (const [key, fact] of Object.entries(group)) {
      values.set(`optim.param_groups.${i}.${key}`, fact);
    }
  }
  for (const [path, fact] of values) {
    const same = JSON.stringify(facts.get(path)) === JSON.stringify(fact);
    comparison.note(path, same ? 0 : 1, 0, same);
  }
  const extra = facts.size - values.size;
  comparison.note("number of values", Math.abs(extra), 0, extra === 0);
  return comparison.result();
}

const TORCH_TYPES: Readonly<Record<string, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

/** Type, shape and every element by value, or its sums and its ends. */
function checkTensor(
  comparison: Comparison,
  name: string,
  tensor: Pick<PtTensor, "dtype" | "shape" | "read">,
  recorded: RecordedTensor,
): void {
  const same = tensor.dtype === TORCH_TYPES[recorded.dtype] &&
    tensor.shape.join() === recorded.shape.join();
  comparison.note(`${name} type and shape`, same ? 0 : 1, 0, same);
  const values = elements(tensor);
  if (recorded.values) return comparison.check(name, values, recorded.values, 0);
  checkSums(comparison, name, values, recorded, SUM_TOLERANCE * (recorded.sumabs ?? 0), 0);
}

function elements(tensor: Pick<PtTensor, "dtype" | "read">): number[] {
  const { data } = tensor.read();
  if (tensor.dtype === "F16") return Array.from(data as Uint16Array, halfToFloat);
  if (tensor.dtype !== "BF16") return Array.from<number | bigint, number>(data as never, Number);
  const words = Uint32Array.from(data as Uint16Array, (word) => word << 16);
  return Array.from(new Float32Array(words.buffer));
}
