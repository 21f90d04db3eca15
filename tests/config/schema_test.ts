import { applySchema, configJsonSchema, fieldAccepts } from "../../config/schema.ts";
import { schemaText } from "../../dev/schema/main.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("config/schema.json is what `deno task schema` writes", async () => {
  const committed = await Deno.readTextFile(new URL("../../config/schema.json", import.meta.url));
  assertEquals(committed, schemaText(), "config/schema.json is stale: run `deno task schema`");
});

Deno.test("configJsonSchema() describes every field, requires none and allows no other", () => {
  let fields = 0;
  const inspect = (node: unknown, path: string) => {
    const schema = node as Record<string, unknown>;
    if (path !== "") {
      fields++;
      assert(typeof schema.description === "string" && schema.description !== "", path);
      assert("default" in schema || path === ".$schema", `${path} has no default`);
    }
    if (schema.type !== "object") return;
    assertEquals(schema.additionalProperties, false, path);
    assertEquals(schema.required, undefined, path);
    for (const [key, inner] of Object.entries(schema.properties as object)) {
      inspect(inner, `${path}.${key}`);
    }
  };
  inspect(configJsonSchema(), "");
  assert(fields > 50, `${fields} fields`);
});

Deno.test("applySchema() gives a fresh config each time", () => {
  const first = applySchema({}).config!, second = applySchema({}).config!;
  first.model.channelMultipliers.push(9);
  first.optim.ema.decay = 0;
  assertEquals(second.model.channelMultipliers, [1, 2, 2, 2]);
  assertEquals(applySchema({}).config, second);
});

Deno.test("fieldAccepts() knows the rule of a field and of a section", () => {
  assertEquals(fieldAccepts("run.dir", "x"), true);
  assertEquals(fieldAccepts("run.dir", 5), false);
  assertEquals(fieldAccepts("optim.ema.decay", 0.5), true);
  assertEquals(fieldAccepts("optim.ema.decay", 2), false);
  assertEquals(fieldAccepts("diffusion.sampler", { name: "ddim" }), true);
  for (const path of ["toString", "run.constructor", "run.seed.x"]) {
    assertEquals(fieldAccepts(path, 1), false);
  }
});
