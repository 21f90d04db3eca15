/**
 * The part of cli-progress that is used. Its published types bring node's own type package along,
 * which would replace Deno's node types in the whole program.
 */

export interface BarOptions {
  /** Text with {bar}, {value}, {total} and the payload's keys in braces. */
  format: string;
  barsize: number;
  barCompleteChar: string;
  barIncompleteChar: string;
  stream: { write(text: string): unknown };
  /** Whether SIGINT and SIGTERM stop the bar. */
  gracefulExit: boolean;
  /** null leaves the cursor alone. */
  hideCursor: boolean | null;
  fps: number;
  /** Draws even if the text has not changed. */
  forceRedraw: boolean;
}

export declare class SingleBar {
  constructor(options: BarOptions);
  start(total: number, startValue: number, payload: Record<string, string>): void;
  update(value: number, payload: Record<string, string>): void;
  render(): void;
  stop(): void;
}

declare const cliProgress: { SingleBar: typeof SingleBar };
export default cliProgress;
