/**
 * Work that tells of its steps by calls, as an iteration that a program goes through at its own pace.
 *
 * @module
 */

const END = Symbol("end");

/**
 * Iterates over what `work` gives; it waits until the next value is asked for. Where the iteration is
 * left early, the signal that `work` gets is aborted, and it is waited for.
 *
 * @returns What `work` returned.
 */
export async function* handOver<T, R>(
  work: (give: (value: T) => Promise<void>, signal: AbortSignal) => Promise<R>,
): AsyncGenerator<T, R> {
  const left = new AbortController();
  let offered = Promise.withResolvers<T | typeof END>();
  let wanted = Promise.withResolvers<void>();
  const give = (value: T) => {
    offered.resolve(value);
    return wanted.promise;
  };
  const done = work(give, left.signal);
  const end = () => offered.resolve(END);
  done.then(end, end);
  let going = true;
  try {
    for (;;) {
      const value = await offered.promise;
      if (value === END) break;
      offered = Promise.withResolvers();
      yield value;
      const { resolve } = wanted;
      wanted = Promise.withResolvers();
      resolve();
    }
    going = false;
    return await done;
  } finally {
    if (going) {
      left.abort();
      wanted.resolve();
      await done.catch(() => {});
    }
  }
}
