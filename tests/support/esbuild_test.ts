import { join } from "node:path";
import { bundleForPage } from "../../support/esbuild.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "./assert.ts";
import { inFolder } from "./folder.ts";

Deno.test("bundleForPage() leaves out what is not used, and refuses node in what is", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(
      join(folder, "both.ts"),
      `import { join } from "node:path";
       export const places = (name: string) => join("a", name);
       export const answer = (): number => 6 * 7;`,
    );
    const page = join(folder, "page.ts");
    await Deno.writeTextFile(page, `import { answer } from "./both.ts"; console.log(answer());`);
    const { code, files } = await bundleForPage(page);
    const text = new TextDecoder().decode(code);
    assertEquals([files, text.includes("number")], [2, false]);
    assertStringIncludes(text, "console.log");
    await Deno.writeTextFile(page, `import { places } from "./both.ts"; console.log(places("b"));`);
    await assertRejects(
      () => bundleForPage(page),
      Error,
      "what it uses must run in a web page, both.ts needs node:path",
    );
  }));
