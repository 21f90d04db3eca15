import {
  chosenClasses,
  chosenGuidance,
  parseInterval,
} from "../../../commands/shared/guided_classes.ts";
import type { Network } from "../../../model/network.ts";
import { UsageError } from "../../../support/errors.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const NAMES = ["cat", "Dog", "normal, benign", "7"];
const KNOWN = { conditioning: { labels: 4, labelDropout: 0.1 }, names: NAMES };

Deno.test("chosenClasses() takes names, in any case and with commas of their own, and numbers", () => {
  assertEquals(chosenClasses("dog, CAT", KNOWN), [1, 0]);
  assertEquals(chosenClasses("normal, benign,0", KNOWN), [2, 0]);
  // A name before a number.
  assertEquals(chosenClasses("7,3,3", KNOWN), [3, 3, 3]);
  assertEquals(chosenClasses("all", KNOWN), [0, 1, 2, 3]);
  assertEquals(chosenClasses("2", { ...KNOWN, names: undefined }), [2]);
  assertEquals(chosenClasses(undefined, KNOWN), null);
});

Deno.test("chosenClasses() refuses classes that the network does not know", () => {
  for (
    const [list, known, message] of [
      ["bird", KNOWN, '"bird": a class must be a number from 0 to 3, or one of cat, Dog'],
      ["4", KNOWN, '"4": a class must be a number from 0 to 3'],
      ["cat,,dog", KNOWN, '""'],
      ["cat", { ...KNOWN, names: undefined }, "the checkpoint does not tell their names"],
      [
        "cat",
        { ...KNOWN, conditioning: undefined },
        "it knows none; train one with --model.classes",
      ],
    ] as const
  ) {
    assertThrows(() => chosenClasses(list, known), UsageError, message);
  }
});

const NO_VALUES = {
  guide: undefined,
  classifierGuidance: undefined,
  ...{ class: undefined, guidance: undefined },
  ...{ guidanceInterval: undefined, guidanceRescale: undefined, guidanceCfgpp: false },
};

Deno.test("chosenGuidance() is none of scale 1, and else what is asked for", () => {
  assertEquals(chosenGuidance(NO_VALUES, KNOWN), undefined);
  assertEquals(chosenGuidance({ ...NO_VALUES, guidance: 1 }, KNOWN), undefined);
  assertEquals(chosenGuidance({ ...NO_VALUES, guidance: 3 }, KNOWN), {
    ...{ scale: 3, interval: null, rescale: 0 },
  });
  const all = { guidance: 0, guidanceInterval: [0.3, 5] as [number, number], guidanceRescale: 0.7 };
  assertEquals(chosenGuidance({ ...NO_VALUES, ...all }, KNOWN), {
    ...{ scale: 0, interval: [0.3, 5], rescale: 0.7 },
  });
  assertEquals(chosenGuidance({ ...NO_VALUES, guidance: 1, guidanceCfgpp: true }, KNOWN), {
    ...{ scale: 1, interval: null, rescale: 0, unconditionalNoise: true },
  });
});

Deno.test("chosenGuidance() refuses networks that can't be guided, and options without a scale", () => {
  const guidance = { ...NO_VALUES, guidance: 2 };
  for (
    const [values, conditioning, message] of [
      [guidance, {}, "Cannot guide: the network must know of classes"],
      [guidance, { labels: 4 }, "it always had one; train it with --model.labelDropout=0.1"],
      [{ ...NO_VALUES, guidanceRescale: 0.5 }, { labels: 4 }, "--guidance-rescale alone"],
      [{ ...NO_VALUES, guidanceCfgpp: true }, { labels: 4 }, "--guidance-cfgpp alone"],
      [{ ...NO_VALUES, guide: "runs/a" }, { labels: 4 }, "--guide alone: it must come with --gui"],
      [{ ...NO_VALUES, guidanceInterval: [0, 1] as [number, number] }, {}, "must come with --guid"],
    ] as const
  ) {
    assertThrows(() => chosenGuidance(values, { conditioning, names: NAMES }), UsageError, message);
  }
});

Deno.test("chosenGuidance() asks no class of networks that have a guide, and refuses CFG++ by one", () => {
  const network = {} as Network;
  const values = { ...NO_VALUES, guidance: 2, guide: "runs/a" };
  const known = { conditioning: {}, names: undefined };
  assertEquals(chosenGuidance(values, known, { network }), {
    ...{ scale: 2, interval: null, rescale: 0 },
  });
  assertThrows(
    () => chosenGuidance({ ...values, guidanceCfgpp: true }, known, { network }),
    UsageError,
    "--guidance-cfgpp with --guide",
  );
});

Deno.test("chosenGuidance() goes by a classifier alone, within an interval if asked", () => {
  const values = { ...NO_VALUES, classifierGuidance: 2 }, known = { conditioning: {}, names: [] };
  const interval = [0, 1] as [number, number];
  assertEquals(chosenGuidance({ ...values, guidanceInterval: interval }, known), {
    ...{ scale: 2, interval, rescale: 0 },
  });
  assertEquals(chosenGuidance({ ...values, classifierGuidance: 0 }, known), undefined);
  for (const other of [{ guidance: 1 }, { guide: "runs/a" }, { guidanceCfgpp: true }]) {
    assertThrows(
      () => chosenGuidance({ ...values, ...other }, known),
      UsageError,
      "with --classifier-guidance: give one of them",
    );
  }
});

Deno.test("parseInterval() reads two numbers that ascend, and nothing else", () => {
  assertEquals(parseInterval("0.3, 5"), [0.3, 5]);
  for (const text of ["", "1", "1,", "2,1", "1,1", "-1,2", "a,b", "1,2,3"]) {
    assertThrows(() => parseInterval(text), RangeError, "must be two numbers that ascend from 0");
  }
});
