/** Sizes of a naive convolution over any number of axes. */
export interface ConvNdCase {
  /** `[N, ...sides, ci]` */
  readonly xShape: readonly number[];
  /** PyTorch's `[co, ci, ...kernel]`. */
  readonly weightShape: readonly number[];
  /** A step for each axis. */
  readonly stride: readonly number[];
  /** Zeros at either end of each axis. */
  readonly padding: readonly number[];
}

/** Every index of a shape, last axis fastest. */
function* indices(shape: readonly number[]): Generator<number[]> {
  const count = shape.reduce((a, b) => a * b, 1);
  for (let i = 0; i < count; i++) {
    let rest = i;
    const index = new Array<number>(shape.length);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    yield index;
  }
}

const flat = (index: readonly number[], shape: readonly number[]) =>
  index.reduce((at, i, axis) => at * shape[axis]! + i, 0);

/** Shape of the result, `[N, ...sides, co]`. */
export function convNdShape({ xShape, weightShape, stride, padding }: ConvNdCase): number[] {
  const kernel = weightShape.slice(2);
  const sides = kernel.map((k, axis) =>
    Math.floor((xShape[axis + 1]! + 2 * padding[axis]! - k) / stride[axis]!) + 1
  );
  return [xShape[0]!, ...sides, weightShape[0]!];
}

/** Convolution by its definition in f64: channels last, weights as PyTorch has them. */
export function convNdReference(
  given: ConvNdCase,
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
): Float64Array {
  const { xShape, weightShape, stride, padding } = given;
  const shape = convNdShape(given), [, ci = 1, ...kernel] = weightShape;
  const y = new Float64Array(shape.reduce((a, b) => a * b, 1));
  let at = 0;
  for (const [n = 0, ...place] of indices(shape)) {
    const co = place.pop()!;
    let sum = 0;
    for (const tap of indices(kernel)) {
      const from = place.map((o, axis) => o * stride[axis]! + tap[axis]! - padding[axis]!);
      if (from.some((i, axis) => i < 0 || i >= xShape[axis + 1]!)) continue;
      for (let c = 0; c < ci; c++) {
        sum += x[flat([n, ...from, c], xShape)]! * weight[flat([co, c, ...tap], weightShape)]!;
      }
    }
    y[at++] = sum;
  }
  return y;
}
