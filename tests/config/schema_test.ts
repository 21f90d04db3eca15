import {
  applyDescription,
  applySchema,
  configJsonSchema,
  fieldAccepts,
} from "../../config/schema.ts";
import { schemaText } from "../../dev/schema/main.ts";
import { byName, flag, integer, option, type OptionsOf, section } from "../../support/options.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { unetOptions } from "../model/networks/ho2020/options.ts";

Deno.test("config/schema.json is what `deno task schema` writes", async () => {
  const committed = await Deno.readTextFile(new URL("../../config/schema.json", import.meta.url));
  assertEquals(committed, schemaText(), "config/schema.json is stale: run `deno task schema`");
});

Deno.test("configJsonSchema() describes every field, requires none and allows no other", () => {
  let fields = 0;
  const inspect = (node: unknown, path: string, picks = false) => {
    const schema = node as Record<string, unknown>;
    if (path !== "") {
      fields++;
      assert(typeof schema.description === "string" && schema.description !== "", path);
      assert("default" in schema || path === ".$schema" || picks, `${path} has no default`);
    }
    // Where a name picks one of several sets of keys, it must be given for all but one of them.
    const several = schema.oneOf as Record<string, unknown>[] | undefined;
    assertEquals(several?.filter(({ required }) => required === undefined).length ?? 1, 1, path);
    for (const object of several ?? (schema.type === "object" ? [schema] : [])) {
      assertEquals(object.additionalProperties, false, path);
      assertEquals(object.required ?? ["name"], ["name"], path);
      assert(several || object.required === undefined, path);
      for (const [key, inner] of Object.entries(object.properties as object)) {
        inspect(inner, `${path}.${key}`, several && key === "name");
      }
    }
  };
  inspect(configJsonSchema(), "");
  assert(fields > 50, `${fields} fields`);
});

Deno.test("applySchema() gives a fresh config each time", () => {
  const first = applySchema({}).config!, second = applySchema({}).config!;
  unetOptions(first.model).channelMultipliers.push(9);
  first.optim.ema.decay = 0;
  assertEquals(unetOptions(second.model).channelMultipliers, [1, 2, 2, 2]);
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

const NETWORKS = section("A config", {
  model: byName("The network", {
    small: { options: { width: option(integer({ min: 1 }), 4, "Width") } },
    large: {
      options: {
        width: option(integer({ min: 1 }), 64, "Width"),
        skips: option(flag(), true, "Whether layers are passed by"),
      },
    },
    none: {},
  }, { name: "small", about: "The network" }),
});

Deno.test("applyDescription() gives the options of the name that was picked, and no others", () => {
  const cases: [input: object, model: OptionsOf<typeof NETWORKS>["model"]][] = [
    [{}, { name: "small", width: 4 }],
    [{ model: { width: 9 } }, { name: "small", width: 9 }],
    [{ model: { name: "large", skips: false } }, { name: "large", width: 64, skips: false }],
    [{ model: { name: "none" } }, { name: "none" }],
  ];
  for (const [input, model] of cases) {
    assertEquals(applyDescription(NETWORKS, input).config, { model });
  }
});

Deno.test("applyDescription() refuses an option of another name and says whose it is", () => {
  const refused = (model: unknown) => applyDescription(NETWORKS, { model }).violation;
  assertEquals(refused({ skips: true }), {
    path: ["model", "skips"],
    rule: "be an option of model.name small",
    hint: "it is one of large",
  });
  assertEquals(refused({ name: "none", width: 3 })?.hint, "it is one of small, large");
  assertEquals(refused({ skip: true }), { path: ["model", "skip"], rule: "be a known key" });
  assertEquals(refused({ name: "tiny" }), {
    path: ["model", "name"],
    rule: "be one of small, large, none",
  });
  for (const value of [5, null, []]) {
    assertEquals(refused(value), { path: ["model"], rule: "be an object" });
  }
});

Deno.test("fieldAccepts() takes what the options of any name allow", () => {
  assert(fieldAccepts("model.skips", true, NETWORKS));
  assert(fieldAccepts("model", { name: "large", skips: true }, NETWORKS));
  assert(!fieldAccepts("model", { name: "small", skips: true }, NETWORKS));
});

Deno.test("configJsonSchema() tells editors the options of each name", () => {
  const { properties } = configJsonSchema(NETWORKS) as {
    properties: { model: { oneOf: { properties: object; required?: string[] }[] } };
  };
  assertEquals(
    properties.model.oneOf.map(({ properties, required }) => [Object.keys(properties), required]),
    [[["name", "width"], undefined], [["name", "width", "skips"], ["name"]], [["name"], ["name"]]],
  );
});
