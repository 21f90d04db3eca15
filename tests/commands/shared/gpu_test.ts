import { forcedFamily } from "../../../commands/shared/gpu.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("forcedFamily() reads DIFFRACT_VARIANT and refuses what is no family", () => {
  const before = Deno.env.get("DIFFRACT_VARIANT");
  try {
    Deno.env.set("DIFFRACT_VARIANT", "");
    assertEquals(forcedFamily(), undefined);
    Deno.env.set("DIFFRACT_VARIANT", "tiled");
    assertEquals(forcedFamily(), "tiled");
    Deno.env.set("DIFFRACT_VARIANT", "tile");
    assertThrows(forcedFamily, RangeError, "must be one of plain, subgroup, tiled, got tile");
  } finally {
    if (before === undefined) Deno.env.delete("DIFFRACT_VARIANT");
    else Deno.env.set("DIFFRACT_VARIANT", before);
  }
});
