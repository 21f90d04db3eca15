import { CATALOGUE } from "../../../data/catalogue.ts";
import { examineDataSets } from "../../../commands/doctor/data_sets.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

Deno.test("examineDataSets() tells where sets are, and counts the others", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/mnist`);
    for (const name of ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]) {
      await Deno.writeTextFile(`${folder}/mnist/${name}`, "");
    }
    const findings = await examineDataSets(folder);
    const mnist = findings.find(({ name }) => name === "mnist");
    assertEquals([mnist?.status, mnist?.text], ["ok", `${folder}/mnist`]);
    const { data, text } = findings.find(({ name }) => name === "other sets")!;
    const here = findings.filter(({ status }) => status === "ok").length;
    const { length } = data?.absent as string[];
    const told = findings.some(({ name, status }) => name === "fashion-mnist" && status === "note");
    assertEquals(length + here + (told ? 1 : 0), CATALOGUE.size);
    assertStringIncludes(text, `${length} are fetched`);
  });
});
