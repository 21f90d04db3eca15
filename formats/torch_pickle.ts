/**
 * Reads what Python's pickle.dump writes of objects with tensors in them, such as EDM's snapshots: as
 * formats/pt.ts, but each storage is a file of torch.save inside the pickle. Nothing is run: an object
 * of torch_utils.persistence, which holds the source text of its own class, is that class's name and
 * its state (NVlabs/edm, torch_utils/persistence.py).
 *
 * @module
 */
import { readPickle } from "./pickle.ts";
import { PickleDict, PickleMark } from "./pickle_values.ts";
import { looksLikePt, readPt } from "./pt.ts";
import { type Inner, type InnerValue, type PtValue, TorchHost } from "./pt_host.ts";
import { damaged, PtStorage } from "./pt_tensor.ts";

/**
 * Whether bytes, of which nine tell, begin as a pickle of protocol 3 to 5, which torch.save does not
 * write by itself. The length that safetensors begins with may have the same first bytes, but zeros and
 * a brace come after them.
 */
export function looksLikeTorchPickle(bytes: Uint8Array): boolean {
  const isLength = bytes[6] === 0 && bytes[7] === 0 && bytes[8] === 0x7b;
  return bytes[0] === 0x80 && bytes[1]! >= 3 && bytes[1]! <= 5 && !isLength;
}

/**
 * Reads a pickle.
 *
 * @throws {SyntaxError} When the bytes are damaged, cut short, or refer to what runs code.
 */
export function readTorchPickle(bytes: Uint8Array): PtValue {
  const host = new PickledTorchHost();
  const { value } = readPickle<Inner>(bytes, host);
  return host.finish(value);
}

/** Names that stand for storages and persistent objects. */
class PickledTorchHost extends TorchHost {
  override build(name: string, args: readonly InnerValue[]): InnerValue {
    if (name === "torch.storage._load_from_bytes") {
      const [bytes] = args;
      const value: unknown = bytes instanceof Uint8Array && looksLikePt(bytes)
        ? readPt(bytes)
        : undefined;
      if (value instanceof PtStorage) return value;
      throw damaged(`${name} must be given a storage as torch.save writes it`);
    }
    if (name === "torch_utils.persistence._reconstruct_persistent_obj") return persistent(args);
    return super.build(name, args);
  }
}

/** The class and the state of a persistent object; its source text is left where it is. */
function persistent([meta]: readonly InnerValue[]): InnerValue {
  const fields = meta instanceof PickleMark ? meta.items : meta;
  const name = fields instanceof PickleDict ? fields.get("class_name") : undefined;
  if (!(fields instanceof PickleDict) || typeof name !== "string") {
    throw damaged("a persistent object must tell the name of its class");
  }
  const mark = new PickleMark<Inner>(name.slice(0, 256));
  const state = fields.get("state");
  if (state !== undefined) mark.state = state;
  return mark;
}
