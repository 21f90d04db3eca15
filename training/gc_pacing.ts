/**
 * When a run collects its garbage: often enough that its memory stays flat, seldom enough that it
 * costs nothing to speak of. Why it must at all is in support/gc.ts.
 *
 * @module
 */
import { collectGarbage } from "../support/gc.ts";

/**
 * Steps before the first collection, and between two later ones. What the allocator takes for the first
 * stretch is room that the shorter ones after it do not fill. The peak of equal stretches creeps up for
 * thousands of steps, as threads free one another's memory and no two stretches are the same.
 */
const FIRST = 200;
const STRETCH = 25;

/** Where steps are quick, stretches are longer: a collection takes a fiftieth of the time at most. */
const LEAST_SHARE = 50;
/** Steps after which garbage is collected whatever it costs. */
const LONGEST = 200;

/** Collects the garbage of a run's steps. */
export class Collector {
  #steps = 0;
  #due = FIRST;
  #last: number;
  /** Milliseconds of the last collection. */
  #cost = 0;

  /**
   * @param collect What collects.
   * @param now Milliseconds of a clock.
   */
  constructor(
    private readonly collect: () => void = collectGarbage,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#last = now();
  }

  /** Call after each step. */
  afterStep(): void {
    this.#steps++;
    if (this.#steps < this.#due) return;
    const start = this.now();
    const isSoon = start - this.#last < LEAST_SHARE * this.#cost;
    if (isSoon && this.#steps < this.#due - STRETCH + LONGEST) return;
    this.collect();
    this.#last = this.now();
    this.#cost = this.#last - start;
    this.#due = this.#steps + STRETCH;
  }
}
