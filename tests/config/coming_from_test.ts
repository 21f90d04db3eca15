/** The tables of docs/coming-from.md: every option of those codes has a row, and every row works. */
import { listTasks, loadDeclarations } from "../../commands/completion/declarations.ts";
import { dottedFields } from "../../config/description.ts";
import { loadConfig, type Override } from "../../config/load.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { optionFlag } from "../../support/command_line.ts";
import { planStep } from "../../training/step_plan.ts";
import { networkOf } from "../../training/run.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { ROOT } from "../support/runs.ts";
import { type Source, SOURCES } from "./coming_from_rows.ts";

/** A row of a table. */
interface Row {
  /** Its first option, or all of the left cell where there is none. */
  readonly name: string;
  readonly left: string;
  readonly right: string;
}

const DOCUMENT = await Deno.readTextFile(`${ROOT}docs/coming-from.md`);

/** The rows of the section of a source. */
function rowsOf({ title }: Source): Row[] {
  const section = DOCUMENT.split("\n## ").find((text) => text.startsWith(`${title}\n`))!;
  return section.split("\n").filter((line) => line.startsWith("| ")).slice(2).map((line) => {
    const [left = "", right = ""] = line.slice(2, -1).split(" | ").map((cell) => cell.trim());
    return { name: /`([^`]+)`/.exec(left)?.[1] ?? left, left, right };
  });
}

/** Images of a data set that nobody loads here. */
const IMAGES = 1000;

const KEYS = new Set(Array.from(dottedFields(), ({ key }) => key));

/** The keys that a cell names. */
const keysOf = (cell: string) =>
  Array.from(cell.matchAll(/`([a-z]\w*\.[\w.]+)`/gi), ([, key = ""]) => key)
    .filter((key) => KEYS.has(key));

/** `key=value` side by side, where a value may have blanks. */
const overridesOf = (text: string): Override[] =>
  text.split(/ (?=[\w.]+=)/).map((one) => one.split("=") as [string, string]);

for (const source of SOURCES) {
  const rows = rowsOf(source);

  Deno.test(`docs/coming-from.md has a row for every option of ${source.title}`, () => {
    const told = new Set(
      rows.flatMap(({ left }) =>
        Array.from(left.matchAll(/`([^`]+)`/g), ([, code = ""]) => code.split(/[^\w.-]+/))
      ).flat(),
    );
    assertEquals(source.options.split(" ").filter((option) => !told.has(option)), []);
    assertEquals(
      Object.keys(source.rows).filter((name) => !rows.some((row) => row.name === name)),
      [],
    );
  });

  Deno.test(`planStep() plans what each row of docs/coming-from.md on ${source.title} sets`, async () => {
    const gpu = planningGpu(await testGpu());
    for (const { name, left, right } of rows) {
      const keys = keysOf(right), example = source.rows[name], other = source.bases?.[name];
      if (keys.length === 0 && example === undefined) continue;
      const overrides = overridesOf(example ?? "");
      const given = new Map(overrides);
      const missing = keys.filter((key) => !given.has(key));
      assertEquals(missing, [], `${name}: tests/config/coming_from_rows.ts has no value of these`);
      for (const [key, value] of given) {
        const word = /^[a-z]\w*(-\w+)*$/.test(value) && !/^(true|false|null)$/.test(value);
        if (word && keys.includes(key) && !/dir$|autoencoder$/.test(key)) {
          assert(
            `${left} ${right}`.toLowerCase().includes(value),
            `${name}: ${key} must be told with its value ${value}`,
          );
        }
      }
      const config = await loadConfig(
        `${ROOT}config/${other ?? source.base}`,
        [...other === undefined ? overridesOf(source.small) : [], ...overrides],
        { images: IMAGES },
      );
      for (const [key, value] of given) {
        // Epochs are steps once they are read.
        const [is, wanted] = key === "train.epochs"
          ? [config.train.steps, Math.ceil(Number(value) * IMAGES / config.train.batchSize)]
          : [valueAt(config, key), value];
        assertEquals(plain(is), plain(wanted, config.train.batchSize), `${name}: ${key}`);
      }
      const plan = planStep({ gpu, config, network: networkOf(config) });
      assert(makeProcess(config.diffusion) && plan.dispatches > 10, name);
    }
  });
}

Deno.test("docs/coming-from.md names only options that the tasks have", async () => {
  const commands = await loadDeclarations(ROOT, await listTasks(ROOT));
  let seen = 0;
  for (const source of SOURCES) {
    for (const { name, right } of rowsOf(source)) {
      for (const [, task = "", option = ""] of right.matchAll(/`(\w+) (--[\w-]+)[^`]*`/g)) {
        const { options } = commands.get(task) ?? { options: {} };
        const flags = Object.keys(options).map(optionFlag);
        assert(flags.includes(option), `${name}: ${task} has no ${option}`);
        seen++;
      }
    }
  }
  assert(seen > 10, `${seen}`);
});

/** The value of a dotted key. */
function valueAt(tree: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>(
    (part, name) => (part as Record<string, unknown> | undefined)?.[name],
    tree,
  );
}

/** A value as text, numbers in one form; lengths of time in epochs as steps. */
function plain(value: unknown, batch = 1): string {
  const epochs = typeof value === "string" ? /^(\d+) epochs$/.exec(value)?.[1] : undefined;
  if (epochs !== undefined) return `${Math.ceil(Number(epochs) * IMAGES / batch)}`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return Number.isNaN(Number(text)) ? `${text}` : `${Number(text)}`;
}
