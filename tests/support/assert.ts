/**
 * Assertions for tests: the names and argument order of deno std's assert (which lives on JSR
 * only), on node:assert, plus {@linkcode assertAllClose} for numbers.
 *
 * @module
 */
import nodeAssert from "node:assert/strict";

/** Fails unless `condition` is truthy. */
export function assert(condition: unknown, message?: string): asserts condition {
  nodeAssert.ok(condition, message);
}

/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  nodeAssert.deepEqual(actual, expected, message);
}

/** Fails unless `|actual - expected| <= tolerance`. */
export function assertAlmostEquals(actual: number, expected: number, tolerance = 1e-7): void {
  nodeAssert.ok(
    Math.abs(actual - expected) <= tolerance,
    `expected ${expected} within ${tolerance}, got ${actual}`,
  );
}

/** Fails unless `text` contains `part`. */
export function assertStringIncludes(text: string, part: string): void {
  nodeAssert.ok(text.includes(part), `expected text with ${JSON.stringify(part)}, got: ${text}`);
}

/** Fails unless `text` matches `pattern`. */
export function assertMatch(text: string, pattern: RegExp): void {
  nodeAssert.match(text, pattern);
}

/** Fails unless `fn` throws an `ErrorClass` whose message includes `part`; returns the error. */
export function assertThrows(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: new (...args: any[]) => Error = Error,
  part = "",
): Error {
  try {
    fn();
  } catch (error) {
    return checkThrown(error, ErrorClass, part);
  }
  throw new nodeAssert.AssertionError({ message: "expected the function to throw" });
}

/** As {@linkcode assertThrows}, for a promise. */
export async function assertRejects(
  fn: () => Promise<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: new (...args: any[]) => Error = Error,
  part = "",
): Promise<Error> {
  try {
    await fn();
  } catch (error) {
    return checkThrown(error, ErrorClass, part);
  }
  throw new nodeAssert.AssertionError({ message: "expected the promise to be rejected" });
}

// deno-lint-ignore no-explicit-any
function checkThrown(error: unknown, ErrorClass: new (...args: any[]) => Error, part: string) {
  nodeAssert.ok(
    error instanceof ErrorClass,
    `expected ${ErrorClass.name}, got ${error instanceof Error ? error.stack : String(error)}`,
  );
  assertStringIncludes((error as Error).message, part);
  return error as Error;
}

/** Numbers that can be compared element by element. */
export type Numbers = ArrayLike<number>;

/**
 * Fails unless every element is within `atol + rtol * |expected|`. NaN and infinities must match
 * exactly. The message gives the worst index, both values and the share of the budget used.
 */
export function assertAllClose(
  actual: Numbers,
  expected: Numbers,
  { rtol = 1e-5, atol = 1e-6, name = "values" }: { rtol?: number; atol?: number; name?: string } =
    {},
): void {
  nodeAssert.equal(actual.length, expected.length, `${name}: lengths differ`);
  let worst = -1, worstShare = 1;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!, e = expected[i]!;
    if (Object.is(a, e) || a === e) continue;
    const share = Math.abs(a - e) / (atol + rtol * Math.abs(e));
    if (!(share <= worstShare)) {
      worst = i;
      worstShare = Number.isNaN(share) ? Infinity : share;
    }
  }
  if (worst >= 0) {
    throw new nodeAssert.AssertionError({
      message: `${name}: element ${worst} of ${expected.length} is ${actual[worst]}, expected ${
        expected[worst]
      } (${worstShare.toPrecision(3)} x the budget of atol ${atol} + rtol ${rtol})`,
    });
  }
}
