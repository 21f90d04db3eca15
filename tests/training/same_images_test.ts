import type { DataOptions } from "../../data/options.ts";
import { UsageError } from "../../support/errors.ts";
import { checkImages } from "../../training/same_images.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const MIX = { first: "cifar10", second: "mnist" };

/** What is said of a checkpoint with these notes, of a run on images with the checksum "now". */
function told(notes: Record<string, string>, data: unknown): string[] {
  const lines: string[] = [];
  const images = { name: "toy train", checksum: "now" };
  checkImages({ path: "a.safetensors", notes }, images, data as DataOptions, (line) => {
    lines.push(line);
  });
  return lines;
}

Deno.test("checkImages() passes the same images in silence, and refuses others", () => {
  for (const name of ["mnist", "folder", "parquet"]) {
    assertEquals(told({ images: "now" }, { name, mix: MIX }), []);
    assertThrows(
      () => told({ images: "then" }, { name, mix: MIX }),
      UsageError,
      "got others (toy train: checksum now, the run's is then)",
    );
  }
});

Deno.test("checkImages() refuses an older run where the order of its set has changed", () => {
  for (const name of ["parquet", "npz", "bloodmnist"]) {
    assertThrows(() => told({}, { name, mix: MIX }), UsageError, `images of ${name} are taken now`);
  }
  const mixed = { name: "mix", mix: { ...MIX, second: "bloodmnist" } };
  assertThrows(() => told({}, mixed), UsageError, "older than the order");
  for (const name of ["mnist", "cifar10", "svhn", "synthetic", "mix"]) {
    assertEquals(told({}, { name, mix: MIX }), []);
  }
  assertEquals(told({}, { name: "folder", mix: MIX }), [
    "note: a.safetensors does not say which images it saw; it goes on with those of toy train, " +
    "checksum now",
  ]);
});
