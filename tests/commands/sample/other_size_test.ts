import { join } from "node:path";
import { ofSize, parseSize } from "../../../commands/sample/other_size.ts";
import { decodePng } from "../../../formats/png_decode.ts";
import { UsageError } from "../../../support/errors.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { randomCheckpoint } from "../../support/page_checkpoint.ts";
import { errorLines, runScript, smokeConfig } from "../../support/runs.ts";

Deno.test("parseSize() reads a side, or height and width", () => {
  assertEquals([parseSize("32"), parseSize("24x40")], [[32, 32], [24, 40]]);
  for (const wrong of ["3", "24x", "x24", "24x3", "-8", "8x8x8", ""]) {
    assertThrows(() => parseSize(wrong), RangeError, "must be a height and a width");
  }
});

Deno.test("ofSize() refuses networks and processes of one size", async () => {
  const config = await smokeConfig();
  assertEquals(ofSize(config, undefined), config);
  assertEquals(ofSize(config, [8, 16]).data.size, [8, 16]);
  const refused = (given: typeof config, size: [number, number], message: string) =>
    assertThrows(() => ofSize(given, size), UsageError, message);
  refused(config, [9, 8], "height");
  refused(await smokeConfig('model={"name":"mlp","width":16}'), [8, 16], "must not depend on");
  refused(await smokeConfig("diffusion.process=power"), [8, 16], "must be ddpm");
});

Deno.test("sample --size draws images of another size, the same as a run of that size does", () =>
  inFolder(async (folder) => {
    await randomCheckpoint(join(folder, "square"), await smokeConfig());
    await randomCheckpoint(join(folder, "wide"), await smokeConfig("data.size=[8,16]"));
    const draw = async (run: string, out: string, ...args: string[]) => {
      const result = await runScript("sample.ts", [
        ...["--checkpoint", join(folder, run), "--images", join(folder, out), "--count", "2"],
        ...args,
      ]);
      assertEquals(result.code, 0, result.err);
      return await Deno.readFile(join(folder, out, "000000.png"));
    };
    const wide = await draw("wide", "a"), sized = await draw("square", "b", "--size", "8x16");
    const { height, width, data } = decodePng(sized);
    assertEquals([height, width, data], [8, 16, decodePng(wide).data]);
    assert(new Set(data).size > 8);
    const other = await runScript("sample.ts", [
      ...["--checkpoint", join(folder, "square"), "--images", join(folder, "b"), "--count", "2"],
    ]);
    assertEquals(other.code, 2);
    assertMatch(errorLines(other).at(-1)!, /size/);
  }));
