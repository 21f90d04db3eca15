/**
 * A key is written once, in its room: here, rooms get keys before a config is composed of them, as
 * if their files had them.
 */
import { OPTIM } from "../../optim/options.ts";
import { type Field, integer, option } from "../../support/options.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { ROOT } from "../support/runs.ts";
import { unetOptions } from "../model/networks/ho2020/options.ts";

const key = option(integer({ min: 1, max: 9 }), 3, "Steps that Adam looks ahead");
(OPTIM.fields as Record<string, Field>).lookahead = key;

const { makeTable } = await import("../../commands/completion/main.ts");
const { brokenRule, CONFIG, dottedFields, roomWarnings } = await import(
  "../../config/description.ts"
);
const { formatConfig, parseConfig } = await import("../../config/load.ts");
const { configJsonSchema } = await import("../../config/schema.ts");

const parse = (text: string) =>
  parseConfig("{}", { path: "x", overrides: [["optim.lookahead", text]] });

Deno.test("CONFIG has a key as soon as its room describes it", async (t) => {
  await t.step("in defaults and in a config's text", () => {
    const config = parseConfig("{}", { path: "x" });
    assert(formatConfig(config).includes('"lookahead": 3'), formatConfig(config));
    assert(formatConfig(parse("7")).includes('"lookahead": 7'));
  });
  await t.step("in the JSON Schema", () => {
    assertEquals(
      Object(configJsonSchema()).properties.optim.properties.lookahead,
      { default: 3, description: key.about, type: "integer", minimum: 1, maximum: 9 },
    );
  });
  await t.step("in completion", async () => {
    const lines = await makeTable(ROOT);
    assert(lines.includes("key\toptim.lookahead\tnone\tSteps that Adam looks ahead"));
  });
  await t.step("in errors", () => {
    const rule = "optim.lookahead must be a whole number from 1 to 9, got 10";
    assertThrows(() => parse("10"), UsageError, rule);
    const misspelt = '{"optim": {"lookahed": 2}}';
    assertThrows(() => parseConfig(misspelt, { path: "x" }), UsageError, "mean optim.lookahead?");
  });
});

Deno.test("dottedFields() has every key of a config, sections first, each described", () => {
  const fields = [...dottedFields()];
  const keys = fields.map(({ key }) => key);
  assertEquals(keys.slice(0, 3), ["run", "run.dir", "run.seed"]);
  for (const { key, field } of fields) assert(/[^.]$/.test(field.about), key);
});

Deno.test("brokenRule() and roomWarnings() name a room's keys as a config does", () => {
  const config = parseConfig("{}", { path: "x" });
  assertEquals(brokenRule(config), null);
  const { diffusion } = config, model = unetOptions(config.model);
  assertEquals(brokenRule({ ...config, model: { ...model, channels: 33, groups: 3 } }), {
    key: "model.channels",
    rule: "be even, for pairs of a sine and a cosine in the time embedding",
  });
  const spectralLoss = { ...diffusion.spectralLoss, lambda: 1, bands: [0] };
  assertEquals(brokenRule({ ...config, diffusion: { ...diffusion, spectralLoss } }), {
    key: "diffusion.spectralLoss.bands",
    rule: "have a weight above 0",
  });
  const [warning] = roomWarnings({ ...config, model: { ...model, channels: 32 } });
  assert(warning?.startsWith("model.groups 32 leaves one channel a group"), warning);
  assertEquals(CONFIG.fields.optim, OPTIM);
});
