import { listTasks, loadDeclarations } from "../../tools/completion/declarations.ts";
import { assert, assertMatch } from "../support/assert.ts";
import { ROOT } from "../support/runs.ts";

/** What may begin a phrase with a capital: names. */
const NAMES = /^(IN|LPIPS|Inception('s)?)\b/;

Deno.test("every command's help has one form: a sentence that tells what to do, then phrases", async () => {
  const commands = await loadDeclarations(ROOT, await listTasks(ROOT));
  assert(commands.size > 15);
  for (
    const { name, summary, options, argument, arguments: places, overrides } of commands.values()
  ) {
    assertMatch(summary, /^[A-Z][a-z]*[^s ] .*[^.]\.$/);
    const phrases = [
      ...Object.values(options).map(({ description }) => description),
      ...[...places ?? [], ...argument ? [argument] : []].map(({ description }) => description),
      ...overrides === undefined ? [] : [overrides],
    ];
    for (const phrase of phrases) {
      const where = `${name}: ${phrase}`;
      assert(/^[^A-Z]/.test(phrase) || NAMES.test(phrase), `${where}: begins with a capital`);
      assert(!phrase.endsWith("."), `${where}: ends with a full stop`);
    }
  }
});
