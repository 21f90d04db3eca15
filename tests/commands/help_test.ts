import { declaredCommands } from "../../support/command_line.ts";
import { listTasks, loadDeclarations } from "../../commands/completion/declarations.ts";
import { assert, assertMatch, assertThrows } from "../support/assert.ts";
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

Deno.test("every command's options refuse what they can't read by a rule and the quoted value", async () => {
  for (const { script } of await listTasks(ROOT)) {
    if (script) await import(new URL(`../../${script}`, import.meta.url).href);
  }
  let readers = 0;
  for (const { name, options } of declaredCommands()) {
    for (const [option, { parse }] of Object.entries(options)) {
      if (!parse) continue;
      const { message } = assertThrows(() => parse("%"), RangeError);
      assert(/^must .*, got "%"/.test(message), `${name} --${option}: ${message}`);
      readers++;
    }
  }
  assert(readers > 20, `${readers} readers`);
});
