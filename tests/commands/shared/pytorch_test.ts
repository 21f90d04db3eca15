import { CASES } from "../../../bench/cases.ts";
import { PYTORCH_KERNELS, pytorchRatios, pytorchTable } from "../../../commands/shared/pytorch.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";

const OURS = [{ case: "small_unet_step", value: 2, unit: "s/step", ms: 20, ofCeiling: null }];
const WHERE = { device: "a card", version: "2.1" };

Deno.test("pytorchRatios() sets PyTorch's time by ours, and passes over what was not measured", () => {
  const lines = [
    { case: "small_unet_step", mode: "tf32", ms: 5, ...WHERE },
    { case: "small_unet_sample", mode: "tf32", ms: 1, ...WHERE },
    { case: "small_unet", mode: "bf16", error: "no bf16 here", ...WHERE },
  ];
  assertEquals(pytorchRatios(OURS, lines), [
    { case: "small_unet_step", mode: "tf32", diffract: 20, pytorch: 5, ratio: 0.25 },
  ]);
  const table = pytorchTable(OURS, lines);
  for (const text of ["PyTorch 2.1 on a card", "0.250", "small_unet, bf16: no bf16 here"]) {
    assertStringIncludes(table, text);
  }
});

Deno.test("PYTORCH_KERNELS are cases of ours that the script has", async () => {
  const script = await Deno.readTextFile(new URL("../../../bench/pytorch_ops.py", import.meta.url));
  const cases = CASES.map(({ name }) => name);
  for (const name of PYTORCH_KERNELS) {
    assertStringIncludes(script, `"${name}": `);
    assert(cases.includes(name), name);
  }
});
