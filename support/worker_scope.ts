/**
 * What a worker's module sees of its thread, typed by what it gets and sends.
 *
 * @module
 */

/** Answers messages of the thread that made this worker. */
export function answerMessages<Request, Reply>(
  answer: (request: Request, reply: (message: Reply, transfer?: Transferable[]) => void) => void,
): void {
  const scope = globalThis as unknown as {
    onmessage: (event: MessageEvent<Request>) => void;
    postMessage: (message: Reply, transfer: Transferable[]) => void;
  };
  scope.onmessage = ({ data }) =>
    answer(data, (message, transfer = []) => scope.postMessage(message, transfer));
}
