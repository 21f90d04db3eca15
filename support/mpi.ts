/**
 * MPI, by which processes that `mpiexec` has started together exchange bytes. The system's library is
 * loaded where it is wanted: MPICH 4, whose ABI Intel MPI and MVAPICH share, or Open MPI.
 *
 * @module
 */
import type { Environment } from "./launch.ts";

/** A group of processes as one of them sees it. Calls are collective: every process makes the same ones. */
export interface Mpi {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** The library, in a few words. */
  readonly version: string;
  /**
   * Piece `i` of what process `k` sends becomes piece `k` of what process `i` receives.
   *
   * @param sent As many pieces of one length as there are processes; `received` as well.
   * @throws {RangeError} When the lengths do not fit.
   */
  exchange(sent: Float32Array<ArrayBuffer>, received: Float32Array<ArrayBuffer>): Promise<void>;
  /**
   * What all processes send, one behind the other in the order of ranks.
   *
   * @throws {RangeError} When the lengths do not fit.
   */
  gather(sent: Float32Array<ArrayBuffer>, received: Float32Array<ArrayBuffer>): Promise<void>;
  /** Ends the use of MPI; waits for all processes. */
  close(): void;
  /** Ends all processes with an exit code. */
  abort(code: number): void;
}

/** Calls come from several threads, one at a time. */
const THREAD_SERIALIZED = 2;
const MOST_VERSION_BYTES = 8192;

/** Handles of MPICH's ABI are numbers, and of Open MPI's addresses. */
const MPICH = { world: 0x44000000, float: 0x4c00040a } as const;
const MPICH_FILES = ["libmpich.so.12", "libmpi.so.12"];
const OPEN_MPI_FILES = ["libmpi.so.40"];
const OPEN_MPI_HANDLES = { world: "ompi_mpi_comm_world", float: "ompi_mpi_float" } as const;

/** The functions that are called, by the type of a handle. */
function functions<const H extends "i32" | "pointer">(handle: H) {
  const data = ["buffer", "i32", handle, "buffer", "i32", handle, handle] as const;
  return {
    MPI_Init_thread: { parameters: ["pointer", "pointer", "i32", "buffer"], result: "i32" },
    MPI_Comm_rank: { parameters: [handle, "buffer"], result: "i32" },
    MPI_Comm_size: { parameters: [handle, "buffer"], result: "i32" },
    MPI_Get_library_version: { parameters: ["buffer", "buffer"], result: "i32" },
    MPI_Alltoall: { parameters: data, result: "i32", nonblocking: true },
    MPI_Allgather: { parameters: data, result: "i32", nonblocking: true },
    MPI_Finalize: { parameters: [], result: "i32" },
    MPI_Abort: { parameters: [handle, "i32"], result: "i32" },
  } as const;
}

/** A library that is loaded, whatever its handles are. */
interface Library {
  readonly call: Record<keyof ReturnType<typeof functions>, (...values: unknown[]) => unknown>;
  readonly world: unknown;
  readonly float: unknown;
}

/**
 * Loads the library of the launcher and joins the others.
 *
 * @throws {Error} When there is no library, or it refuses; the message says what to install.
 */
export function openMpi(env: Environment & { set(name: string, value: string): void }): Mpi {
  // Whoever ends the others has said why already.
  env.set("MPIR_CVAR_SUPPRESS_ABORT_MESSAGE", "1");
  const library = env.get("OMPI_COMM_WORLD_SIZE") === undefined ? loadMpich() : loadOpenMpi();
  const { call, world, float } = library;
  const number = new Int32Array(1);
  const ask = (name: "MPI_Comm_rank" | "MPI_Comm_size") => {
    check(name, call[name](world, number));
    return number[0]!;
  };
  check("MPI_Init_thread", call.MPI_Init_thread(null, null, THREAD_SERIALIZED, number));
  if (number[0]! < THREAD_SERIALIZED) {
    throw new Error(
      "Cannot use MPI: the library must let threads call it in turn (MPI_THREAD_SERIALIZED), it " +
        `grants level ${number[0]}`,
    );
  }
  const size = ask("MPI_Comm_size");
  // One at a time: each call waits for those before it.
  let before: Promise<unknown> = Promise.resolve();
  const inTurn = (name: "MPI_Alltoall" | "MPI_Allgather", sent: number, ...data: unknown[]) => {
    const [from, to] = data;
    const made = before.then(async () =>
      check(name, await call[name](from, sent, float, to, sent, float, world))
    );
    before = made.catch(() => {});
    return made;
  };
  return {
    rank: ask("MPI_Comm_rank"),
    size,
    version: versionOf(library),
    exchange(sent, received) {
      checkLength("exchange", sent.length, size * Math.floor(sent.length / size));
      checkLength("exchange", received.length, sent.length);
      return inTurn("MPI_Alltoall", sent.length / size, sent, received);
    },
    gather(sent, received) {
      checkLength("gather", received.length, sent.length * size);
      return inTurn("MPI_Allgather", sent.length, sent, received);
    },
    close: () => void call.MPI_Finalize(),
    abort: (code) => {
      closeErrors();
      call.MPI_Abort(world, code);
    },
  };
}

function loadMpich(): Library {
  const { symbols } = loadFirst(MPICH_FILES, functions("i32"));
  return { call: symbols as unknown as Library["call"], ...MPICH };
}

const LIBC = "libc.so.6";

/** MPICH ends with a line of its own, which says nothing that has not been said. */
function closeErrors(): void {
  if (Deno.build.os !== "linux") return;
  const STDERR = 2;
  Deno.dlopen(LIBC, { close: { parameters: ["i32"], result: "i32" } }).symbols.close(STDERR);
}

/** Open MPI leaves threads behind that end badly when its code goes away with the runtime's handle. */
function keepLoaded(files: readonly string[]): void {
  if (Deno.build.os !== "linux") return;
  const { symbols } = Deno.dlopen(LIBC, {
    dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  });
  const NOW = 0x2, GLOBAL = 0x100, NO_DELETE = 0x1000;
  for (const file of files) {
    symbols.dlopen(new TextEncoder().encode(`${file}\0`), NOW | GLOBAL | NO_DELETE);
  }
}

function loadOpenMpi(): Library {
  const { world, float } = OPEN_MPI_HANDLES;
  keepLoaded(OPEN_MPI_FILES);
  const { symbols } = loadFirst(OPEN_MPI_FILES, {
    ...functions("pointer"),
    [world]: { type: "pointer" },
    [float]: { type: "pointer" },
  });
  const call = symbols as unknown as Library["call"] & Record<string, unknown>;
  return { call, world: call[world], float: call[float] };
}

function loadFirst<const S extends Deno.ForeignLibraryInterface>(
  files: readonly string[],
  symbols: S,
): Deno.DynamicLibrary<S> {
  for (const file of files) {
    try {
      return Deno.dlopen(file, symbols);
    } catch {
      // The next one, or the error below.
    }
  }
  throw new Error(
    `Cannot use MPI: none of ${
      files.join(", ")
    } can be loaded; install Debian's package mpich (or ` +
      "openmpi-bin) and start the processes with its mpiexec",
  );
}

function versionOf({ call }: Library): string {
  const text = new Uint8Array(MOST_VERSION_BYTES), length = new Int32Array(1);
  check("MPI_Get_library_version", call.MPI_Get_library_version(text, length));
  const [first = ""] = new TextDecoder().decode(text.subarray(0, length[0])).split(/[\n,\0]/);
  return first.replace(/\s*Version:\s*/, " ").trim();
}

function check(name: string, code: unknown): void {
  if (code !== 0) throw new Error(`Cannot use MPI: ${name} failed with code ${code}`);
}

function checkLength(name: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new RangeError(`Cannot ${name} values: there must be ${expected} of them, got ${got}`);
}
