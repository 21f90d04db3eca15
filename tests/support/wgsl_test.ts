import { wgsl } from "../../support/wgsl.ts";
import { assertEquals, assertThrows } from "./assert.ts";

const squeeze = (text: string) => text.replace(/\s+/g, " ").trim();

Deno.test("wgsl inserts values as they are", () => {
  assertEquals(wgsl`const a = ${0}u; ${"fn f() {}"} ${false}`, "const a = 0u; fn f() {} false");
});

Deno.test("wgsl chooses among #if, #elif and #else, also nested", () => {
  const code = (a: boolean, b: number) =>
    squeeze(wgsl`
      #if ${a}
        one
        #if ${b}
          inner ${b}
        #else
          none
        #endif
      #elif ${b > 1}
        two
      #else
        three
      #endif
      end`);
  assertEquals(code(true, 3), "one inner 3 end");
  assertEquals(code(true, 0), "one none end");
  assertEquals(code(false, 2), "two end");
  assertEquals(code(false, 1), "three end");
});

Deno.test("wgsl refuses an #if that is not closed or has no condition", () => {
  assertThrows(() => wgsl`#if ${true} a`, Error, "Mismatched #if/#endif count");
  assertThrows(() => wgsl`#if a #endif`, Error, "must be immediately followed");
  assertThrows(() => wgsl`a #endif`, Error, "not preceeded by an #if");
});
