import { findCircles } from "../../../dev/layers/circles.ts";
import { assertEquals } from "../../support/assert.ts";

/** Circles of "a>b" for a that imports b. */
function circles(...arrows: string[]): string[] {
  const imports = arrows.map((arrow) => {
    const [from = "", to = ""] = arrow.split(">");
    return { from, to };
  });
  return findCircles(imports).map((circle) => circle.join(""));
}

Deno.test("findCircles() finds none where ways only meet again", () => {
  assertEquals(circles("a>b", "a>c", "b>d", "c>d"), []);
});

Deno.test("findCircles() takes the shortest of several ways back", () => {
  assertEquals(circles("a>b", "b>c", "c>a", "b>d", "d>e", "e>a"), ["abc", "deab"]);
});

Deno.test("findCircles() names a file that imports itself, and circles that others lead to", () => {
  assertEquals(circles("x>a", "a>b", "b>a", "c>c"), ["ab", "c"]);
});
