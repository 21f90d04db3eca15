/**
 * Matrix units of graphics cards (tensor cores, XMX, simdgroup matrices), as Dawn's experimental
 * feature has them: the lanes of a subgroup hold a small matrix together, and multiply two in one
 * operation. The adapter lists the shapes that it has, and nothing else can be used.
 *
 * @module
 */

/** The feature that Dawn grants where the adapter has matrix units. */
export const MATRIX_FEATURE = "chromium-experimental-subgroup-matrix";

/** The directive that its shader language wants. */
export const MATRIX_ENABLE = "chromium_experimental_subgroup_matrix";

/** A product of matrices `[m, k]` and `[k, n]` that is one operation. */
export interface MatrixShape {
  /** What the operands are; they are summed in f32. */
  readonly component: "f16" | "f32";
  /** Rows of the result. */
  readonly m: number;
  /** Columns of the result. */
  readonly n: number;
  /** The inner size. */
  readonly k: number;
}

/** What Dawn adds to `GPUAdapterInfo`. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }>;
}

/**
 * The shapes that a device multiplies with sums in f32, none where it lacks the feature.
 *
 * @param features Of the device.
 * @param info Of its adapter.
 */
export function matrixShapesOf(
  features: { has(name: string): boolean },
  info: GPUAdapterInfo,
): MatrixShape[] {
  if (!features.has(MATRIX_FEATURE)) return [];
  const shapes: MatrixShape[] = [];
  for (const config of (info as MatrixInfo).subgroupMatrixConfigs ?? []) {
    const { componentType: component, resultComponentType, M: m, N: n, K: k } = config;
    if (resultComponentType !== "f32") continue;
    if (component === "f16" || component === "f32") shapes.push({ component, m, n, k });
  }
  return shapes;
}
