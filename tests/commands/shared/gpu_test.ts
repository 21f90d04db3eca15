import { chosenProvider, forcedFamily } from "../../../commands/shared/gpu.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("forcedFamily() reads DIFFRACT_VARIANT and refuses what is no family", () => {
  const before = Deno.env.get("DIFFRACT_VARIANT");
  try {
    Deno.env.set("DIFFRACT_VARIANT", "");
    assertEquals(forcedFamily(), undefined);
    Deno.env.set("DIFFRACT_VARIANT", "tiled");
    assertEquals(forcedFamily(), "tiled");
    Deno.env.set("DIFFRACT_VARIANT", "tile");
    assertThrows(
      forcedFamily,
      RangeError,
      "must be one of plain, subgroup, texture, tiled, matrix, got tile",
    );
  } finally {
    if (before === undefined) Deno.env.delete("DIFFRACT_VARIANT");
    else Deno.env.set("DIFFRACT_VARIANT", before);
  }
});

Deno.test("chosenProvider() reads DIFFRACT_GPU and refuses what it does not know", () => {
  const names = ["DIFFRACT_GPU", "DIFFRACT_DAWN"] as const;
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  try {
    Deno.env.set("DIFFRACT_GPU", "");
    assertEquals(chosenProvider().gpu, navigator.gpu);
    Deno.env.set("DIFFRACT_GPU", "metal");
    assertThrows(chosenProvider, RangeError, "must be deno or dawn, got metal");
    Deno.env.set("DIFFRACT_GPU", "dawn");
    Deno.env.set("DIFFRACT_DAWN", "/no/node_modules/webgpu");
    assertThrows(chosenProvider, Error, "npm install --prefix /no webgpu@");
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});
