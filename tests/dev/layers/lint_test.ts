import plugin from "../../../dev/layers/lint.ts";
import { assertEquals } from "../../support/assert.ts";

/** What the rules find in a file: "rule: the text that it points at". */
function lint(path: string, text: string): string[] {
  return Deno.lint.runPlugin(plugin, path, text).map(({ id, range }) =>
    `${id.replace("diffract/", "")}: ${text.slice(...range)}`
  );
}

Deno.test("gpu-in-device keeps GPU objects inside device", () => {
  const text = `const g = navigator.gpu;\nd.createBuffer({});\nd.createComputePipelineAsync({});`;
  const found = ["navigator", "createBuffer", "createComputePipelineAsync"];
  assertEquals(lint("device/gpu.ts", text), []);
  assertEquals(lint("training/loop.ts", text), found.map((word) => `gpu-in-device: ${word}`));
  assertEquals(lint("train.ts", "const { gpu } = navigator;"), ["gpu-in-device: navigator"]);
  assertEquals(lint("train.ts", "const n = navigator.hardwareConcurrency;"), []);
});

for (const path of ["device", "kernels", "autograd", "model", "optim", "diffusion"]) {
  Deno.test(`no-host keeps Deno and the console out of ${path}`, () => {
    const text = "Deno.exit(1);\nconsole.log(`${Deno?.args}`);\nconst { cwd } = Deno;\n" +
      "let i: Deno.FileInfo; console['log'](i);";
    const found = ["Deno", "console", "Deno", "Deno", "Deno", "console"];
    assertEquals(lint(`${path}/a.ts`, text), found.map((word) => `no-host: ${word}`));
    assertEquals(lint("data/a.ts", text), []);
  });
}

Deno.test("no-host holds files that pure rooms import to the same", () => {
  assertEquals(lint("support/philox.ts", "Deno.cwd();"), ["no-host: Deno"]);
});

Deno.test("no-host does not mistake comments, strings, keys or names for code", () => {
  const text = `
    // Deno.exit(); navigator.gpu
    const text = "Deno.exit()", shader = \`createBuffer console.log\`, pattern = /Deno\\.exit/g;
    export function process(console: number, Deno = 1) { return { Deno: console, console }; }
    export const host = my.Deno.x, Denominator = my.console.log;
  `;
  assertEquals(lint("model/a.ts", text), []);
});

Deno.test("readable-import refuses a dynamic import that the layers cannot read", () => {
  const text = "await import(name); await import(`./a/${name}.ts`); await import('./b.ts');";
  const found = ["name", "`./a/${name}.ts`"].map((source) => `readable-import: ${source}`);
  assertEquals(lint("config/a.ts", text), found);
  assertEquals(lint("tests/a.ts", text), []);
});
