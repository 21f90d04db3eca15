/**
 * Reads what torch.save writes, in its zip form (PyTorch 1.6 and later) and its legacy form, without
 * PyTorch and without running anything: a pickle of plain data that may refer to tensors' storages,
 * and the storages' raw bytes. Sources: torch/serialization.py and torch/_utils.py.
 *
 * @module
 */
import { readPickle } from "./pickle.ts";
import { PickleDict } from "./pickle_values.ts";
import { type Inner, type InnerValue, type PtValue, TorchHost } from "./pt_host.ts";
import { damaged, quote } from "./pt_tensor.ts";
import { ZipArchive } from "./zip.ts";

export { PtTensor } from "./pt_tensor.ts";
export type { PtDict, PtMark, PtValue } from "./pt_host.ts";

/** Room for 100,000 tensors; elements are not in the pickle. */
const MAX_PICKLE_BYTES = 32 << 20;

/** First pickle of a legacy file, and the version in the second. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_VERSION = 1001;

/**
 * Reads a file of torch.save.
 *
 * @returns What was saved: dicts, lists, tuples, numbers, text and tensors.
 * @throws {SyntaxError} When the bytes are damaged, cut short, refer to anything that tensors don't
 *   need, or are no PyTorch file at all.
 * @throws {TypeError} When a zip archive is encrypted or packed by something else than deflate.
 */
export function readPt(bytes: Uint8Array): PtValue {
  if (startsWith(bytes, [0x50, 0x4b, 0x03, 0x04])) return readZipForm(bytes);
  if (startsWith(bytes, [0x80, 0x02, 0x8a])) return readLegacyForm(bytes);
  throw damaged("it must begin as a zip archive or as a legacy pickle of torch.save");
}

/** Whether bytes begin as a file of torch.save does. */
export function looksLikePt(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0x50, 0x4b, 0x03, 0x04]) || startsWith(bytes, [0x80, 0x02, 0x8a]);
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

function readZipForm(bytes: Uint8Array): PtValue {
  const archive = ZipArchive.open(bytes);
  const pickles = [...archive.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle = ""] = pickles;
  const prefix = pickle.slice(0, -"data.pkl".length);
  if (pickles.length !== 1) throw damaged(`it must hold one data.pkl, got ${pickles.length}`);
  if (archive.entries.has(`${prefix}constants.pkl`)) {
    throw damaged("it must be a file of torch.save, got a TorchScript program");
  }
  const order = `${prefix}byteorder`;
  if (archive.entries.has(order)) {
    const text = new TextDecoder().decode(archive.read(order).subarray(0, 16)).trim();
    if (text !== "little") throw damaged(`its byte order must be little, got ${quote(text)}`);
  }
  const { size: pickleBytes = 0 } = archive.entries.get(pickle) ?? {};
  if (pickleBytes > MAX_PICKLE_BYTES) {
    throw damaged(`its data.pkl must have at most ${MAX_PICKLE_BYTES} bytes, got ${pickleBytes}`);
  }
  const host = new TorchHost();
  const { value } = readPickle<Inner>(archive.read(pickle), host, 0, bytes.length);
  for (const storage of host.storages.values()) {
    const name = `${prefix}data/${storage.key}`;
    const { size } = archive.entries.get(name) ?? {};
    if (size !== storage.byteLength) {
      throw damaged(
        `storage ${quote(storage.key)} of ${storage.count} ${storage.dtype} elements must have ` +
          `${storage.byteLength} bytes, got ${size ?? "none"}`,
      );
    }
    storage.bytes = archive.read(name);
  }
  return host.finish(value);
}

function readLegacyForm(bytes: Uint8Array): PtValue {
  const plain = new TorchHost();
  const [magic, version, system] = [0, 1, 2].reduce<InnerValue[]>((values) => {
    values.push(plain.next(bytes));
    return values;
  }, []);
  if (magic !== LEGACY_MAGIC || version !== LEGACY_VERSION) {
    throw damaged("it must begin with the magic number and version of a legacy torch.save file");
  }
  const little = system instanceof PickleDict ? system.get("little_endian") : undefined;
  if (little !== true) throw damaged("its byte order must be little");
  const host = new TorchHost(plain.at);
  const value = host.next(bytes);
  const keys = host.next(bytes);
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string")) {
    throw damaged("the list of its storages must hold their keys");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = host.at;
  for (const key of keys as string[]) {
    const storage = host.storages.get(key);
    if (!storage || storage.bytes) {
      throw damaged(`storage ${quote(key)} must be used and come once`);
    }
    const count = at + 8 <= bytes.length ? Number(view.getBigUint64(at, true)) : NaN;
    at += 8;
    if (count !== storage.count || storage.byteLength > bytes.length - at) {
      throw damaged(
        `storage ${quote(key)} must have ${storage.count} ${storage.dtype} elements, the file is ` +
          "damaged or cut short",
      );
    }
    storage.bytes = bytes.subarray(at, at += storage.byteLength);
  }
  for (const { key, bytes: found } of host.storages.values()) {
    if (!found) throw damaged(`storage ${quote(key)} must be in the file`);
  }
  if (at !== bytes.length) {
    throw damaged(`it must end at byte ${at}, after its last storage, got ${bytes.length} bytes`);
  }
  return host.finish(value);
}
