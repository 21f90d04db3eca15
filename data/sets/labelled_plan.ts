/**
 * The order of images whose splits and classes something else tells than their folders.
 *
 * @module
 */
import { labelsOf, type Split } from "../dataset.ts";
import { fixedOrder, HELD_OUT, isHeldOut } from "../fixed_order.ts";
import type { SplitPlan } from "./image_tree.ts";

/** An image, and its class where it has one. */
export interface LabelledFile {
  readonly name: string;
  readonly label: number | null;
}

/** What a set says of its images. */
export interface LabelledSplits {
  readonly train: readonly LabelledFile[];
  /** Empty where none is named: one image in ten is held out then. */
  readonly test: readonly LabelledFile[];
  readonly classNames: readonly string[];
  readonly remarks?: readonly string[];
}

/** The images of a split, in the fixed order of their names. */
export function planOf({ train, test, classNames, remarks = [] }: LabelledSplits, split: Split) {
  const named = test.length > 0;
  const sorted = (named && split === "test" ? test : train).toSorted((a, b) =>
    a.name < b.name ? -1 : 1
  );
  const shuffled = Array.from(fixedOrder(sorted.length), (index) => sorted[index]!);
  const own = named
    ? shuffled
    : shuffled.filter((_, i) => isHeldOut(i, shuffled.length) === (split === "test"));
  const labelled = classNames.length > 1 && own.every(({ label }) => label !== null);
  return {
    names: own.map(({ name }) => name),
    labels: labelled ? labelsOf(own.map(({ label }) => label!), classNames.length) : null,
    classNames,
    remarks: named
      ? remarks
      : [...remarks, `There are no test images: one image in ${HELD_OUT} is held out`],
  } satisfies SplitPlan;
}
