/**
 * Reads batches of the "python version" of CIFAR-10 and CIFAR-100: pickles of a dict with `data`, an
 * array of bytes [count, 3072] of red, green and blue planes, and a list of labels. Format:
 * https://www.cs.toronto.edu/~kriz/cifar.html
 *
 * @module
 */
import { CIFAR_PIXELS, type CifarBatch, planesToPixels } from "./cifar_binary.ts";
import { NumpyArray, type NumpyValue, readNumpyPickle } from "./numpy_pickle.ts";
import { PickleDict } from "./pickle_values.ts";

/** What differs between the two sets. */
export interface CifarPythonLayout {
  readonly title: string;
  /** Key of the labels. */
  readonly labels: string;
  readonly classes: number;
}

/** Ten classes. */
export const CIFAR_10_PYTHON: CifarPythonLayout = {
  title: "CIFAR-10",
  labels: "labels",
  classes: 10,
};
/** A hundred classes in twenty groups, which are left aside. */
export const CIFAR_100_PYTHON: CifarPythonLayout = {
  title: "CIFAR-100",
  labels: "fine_labels",
  classes: 100,
};

/**
 * Reads a batch.
 *
 * @throws SyntaxError when the bytes are damaged, or say something else than a batch.
 */
export function readCifarPython(
  bytes: Uint8Array,
  layout: CifarPythonLayout = CIFAR_10_PYTHON,
): CifarBatch {
  const wrong = (what: string) => new SyntaxError(`Cannot read ${layout.title} batch: ${what}`);
  const batch = readNumpyPickle(bytes);
  if (!(batch instanceof PickleDict)) throw wrong("its pickle must be a dict");
  const data = batch.get("data");
  const [count = 0, pixels] = data instanceof NumpyArray ? data.shape : [];
  if (
    !(data instanceof NumpyArray) || data.dtype !== "u1" || data.fortran ||
    data.shape.length !== 2 || count === 0 || pixels !== CIFAR_PIXELS
  ) {
    const got = data instanceof NumpyArray ? `${data.dtype} [${data.shape}]` : "no array";
    throw wrong(`"data" must be bytes of shape [count, ${CIFAR_PIXELS}], got ${got}`);
  }
  const labels = readLabels(batch.get(layout.labels), count, layout, wrong);
  const images = new Uint8Array(count * CIFAR_PIXELS);
  for (let n = 0; n < count; n++) {
    planesToPixels(data.data, n * CIFAR_PIXELS, images, n * CIFAR_PIXELS);
  }
  return { count, images, labels };
}

function readLabels(
  list: NumpyValue | undefined,
  count: number,
  { labels: key, classes }: CifarPythonLayout,
  wrong: (what: string) => SyntaxError,
): Uint8Array<ArrayBuffer> {
  if (!Array.isArray(list) || list.length !== count) {
    throw wrong(
      `"${key}" must be a list of ${count} labels, got ${
        Array.isArray(list) ? list.length : "none"
      }`,
    );
  }
  return Uint8Array.from(list, (label, n) => {
    if (typeof label !== "number" || !Number.isInteger(label) || label < 0 || label >= classes) {
      throw wrong(
        `label ${n} must be 0 to ${classes - 1}, got ${
          typeof label === "number" ? label : typeof label
        }`,
      );
    }
    return label;
  });
}
