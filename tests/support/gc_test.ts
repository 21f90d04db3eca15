import { collectGarbage } from "../../support/gc.ts";
import { assert } from "./assert.ts";

Deno.test("collectGarbage() frees what nothing refers to", () => {
  const lost = Array.from({ length: 50 }, () => new WeakRef({ data: new Array(1000).fill(1) }));
  return new Promise<void>((resolve, reject) =>
    // A weak reference holds its target until the end of the turn that made it.
    setTimeout(() => {
      collectGarbage();
      try {
        assert(lost.every((reference) => reference.deref() === undefined));
        resolve();
      } catch (error) {
        reject(error);
      }
    })
  );
});
