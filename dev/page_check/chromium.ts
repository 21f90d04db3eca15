/**
 * A headless Chromium for checks of pages, spoken to in its own protocol over a WebSocket: what a check
 * needs of it is a few commands, for which a package of 14 MB would be much.
 *
 * @module
 */
import { join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/** Milliseconds that anything may take before a check fails, unless it is told otherwise. */
const PATIENCE = 120_000;

/** The path of a browser on this machine; null where there is none. DIFFRACT_CHROMIUM names one. */
export function findChromium(): string | null {
  const named = Deno.env.get("DIFFRACT_CHROMIUM");
  const folders = (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...named ? [named] : [], ...paths].find(isFile) ?? null;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

type Params = Readonly<Record<string, unknown>>;
interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Commands to a browser or a page of it, and what it tells by itself. */
class Connection {
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #last = 0;
  private constructor(
    private readonly socket: WebSocket,
    onEvent: (method: string, params: Record<string, unknown>) => void,
  ) {
    socket.onmessage = ({ data }) => {
      const reply: Reply = JSON.parse(data);
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
      else if (reply.method) onEvent(reply.method, reply.params ?? {});
    };
  }

  static async open(
    url: string,
    onEvent: (method: string, params: Record<string, unknown>) => void = () => {},
  ): Promise<Connection> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`Cannot connect to ${url}`));
    });
    return new Connection(socket, onEvent);
  }

  async send(method: string, params: Params = {}): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, resolve);
    this.socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await inTime(promise, method);
    this.#waiting.delete(id);
    if (error) throw new Error(`Cannot ${method}: ${error.message}`);
    return result ?? {};
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.socket.onclose = resolve);
    this.socket.close();
    await closed;
  }
}

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took over ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How a page is looked at. */
export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
  /** Whether it is a phone: touch, and the page's own idea of a width. */
  readonly mobile?: boolean;
  /** Screen pixels a pixel of the page. */
  readonly scale?: number;
}

/** How a browser is started. */
export interface BrowserOptions {
  /** Whether pages have WebGPU, on Chromium's own CPU adapter; false unless given. */
  readonly gpu?: boolean;
  /**
   * Whether V8 interprets alone; false unless given. What it compiles when depends on time, and takes room
   * on the heap that would hide a slow leak, or look like one.
   */
  readonly interpreted?: boolean;
}

/** Memory that a page takes. */
export interface PageMemory {
  /** Bytes in use on JavaScript's heap, after a collection. */
  readonly heap: number;
  /** Resident bytes of the browser's GPU process; NaN where the system has no /proc. */
  readonly gpuProcess: number;
}

/** Chromium gives WebGPU on a CPU to nobody who does not ask like this. */
const GPU_FLAGS = [
  ...["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-vulkan-surface"],
  "--disable-gpu-watchdog",
];

/** A page that is open. */
export class BrowserPage {
  private constructor(
    /** Addresses that the page has asked for. */
    readonly requests: readonly string[],
    /** Exceptions, errors on the console and refusals of the page's policy, as lines. */
    readonly complaints: readonly string[],
    /** The browser's name and version. */
    readonly version: string,
    private readonly connection: Connection,
    private readonly browser: Connection,
    private readonly process: Deno.ChildProcess,
    private readonly profile: string,
  ) {}

  /** Starts a browser and opens an address. */
  static async open(
    program: string,
    url: string,
    look: Look,
    { gpu = false, interpreted = false }: BrowserOptions = {},
  ): Promise<BrowserPage> {
    const profile = await Deno.makeTempDir({ prefix: "diffract-chromium-" });
    const process = new Deno.Command(program, {
      args: [
        ...["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`],
        ...["--no-first-run", "--no-default-browser-check", "--mute-audio"],
        ...gpu ? GPU_FLAGS : ["--disable-gpu"],
        ...interpreted ? ["--js-flags=--max-opt=0"] : [],
        ...["--disable-dev-shm-usage", "--hide-scrollbars", "--disable-background-networking"],
        // Tests run as root in containers, where there is no sandbox to be had.
        ...["--no-sandbox", "about:blank"],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const [port = ""] = (await portFile(profile)).split("\n");
    const about = async (what: string) =>
      await (await fetch(`http://127.0.0.1:${port}/json/${what}`)).json();
    const target = (await about("list")).find(({ type }: { type: string }) => type === "page");
    const { webSocketDebuggerUrl, Browser: version } = await about("version");
    const browser = await Connection.open(webSocketDebuggerUrl);
    const complaints: string[] = [], requests: string[] = [];
    const connection = await Connection.open(target.webSocketDebuggerUrl, (method, params) => {
      const complaint = complaintOf(method, params);
      if (complaint !== null) complaints.push(complaint);
      if (method === "Network.requestWillBeSent") {
        requests.push((params.request as { url: string }).url);
      }
    });
    const parts = [version, connection, browser, process, profile] as const;
    const page = new BrowserPage(requests, complaints, ...parts);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) {
      await connection.send(`${domain}.enable`);
    }
    await page.look(look);
    await connection.send("Page.navigate", { url });
    return page;
  }

  /** Sets the window's size and the colours that the system asks for. */
  async look({ width, height, scheme, mobile = false, scale = 1 }: Look): Promise<void> {
    await this.connection.send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, mobile, deviceScaleFactor: scale },
    });
    await this.connection.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: scheme }],
    });
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.connection.send("Runtime.evaluate", {
      ...{ expression, returnByValue: true, awaitPromise: true },
    }) as { result: { value: T }; exceptionDetails?: { exception?: { description?: string } } };
    if (exceptionDetails) {
      throw new Error(`Cannot evaluate ${expression}: ${exceptionDetails.exception?.description}`);
    }
    return result.value;
  }

  /**
   * Waits until an expression is true, and fails with its last value when that takes too long. What
   * throws is not true yet.
   *
   * @param patience Milliseconds.
   */
  async until(expression: string, patience = PATIENCE): Promise<void> {
    const end = performance.now() + patience;
    for (;;) {
      const value = await this.evaluate<unknown>(
        `(() => { try { return (${expression}); } catch (error) { return String(error); } })()`,
      );
      if (value && typeof value !== "string") return;
      if (performance.now() > end) {
        const text = await this.evaluate<string>("document.body.innerText");
        throw new Error(`${expression} stayed ${JSON.stringify(value)}; the page says: ${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Presses a key, by its name: "ArrowLeft", "Tab". */
  async press(key: string): Promise<void> {
    const codes: Readonly<Record<string, number>> = {
      ...{ Tab: 9, Enter: 13, Escape: 27, " ": 32, End: 35, Home: 36 },
      ...{ ArrowLeft: 37, ArrowRight: 39 },
    };
    const shared = { key, code: key, windowsVirtualKeyCode: codes[key] ?? 0 };
    await this.connection.send("Input.dispatchKeyEvent", { type: "keyDown", ...shared });
    await this.connection.send("Input.dispatchKeyEvent", { type: "keyUp", ...shared });
  }

  /** Moves the pointer, or presses or releases its button there. */
  async pointer(type: "mouseMoved" | "mousePressed" | "mouseReleased", x: number, y: number) {
    const pressed = type === "mouseMoved" ? {} : { button: "left", clickCount: 1 };
    await this.connection.send("Input.dispatchMouseEvent", { type, x, y, ...pressed });
  }

  /** A picture of the window, or of the whole page: PNG. */
  async screenshot(whole = false): Promise<Uint8Array> {
    const { data } = await this.connection.send("Page.captureScreenshot", {
      ...{ format: "png", captureBeyondViewport: whole },
    });
    return Uint8Array.fromBase64(data as string);
  }

  /** The memory that it takes now. */
  async memory(): Promise<PageMemory> {
    await this.connection.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.connection.send("Runtime.getHeapUsage");
    const { processInfo } = await this.browser.send("SystemInfo.getProcessInfo");
    const gpu = (processInfo as { type: string; id: number }[]).find(({ type }) => type === "GPU");
    return { heap: usedSize as number, gpuProcess: gpu ? residentBytes(gpu.id) : NaN };
  }

  /** Ends the browser. */
  async close(): Promise<void> {
    await this.browser.close();
    await this.connection.close();
    this.process.kill();
    await this.process.status;
    // Its helpers may be writing still.
    for (let tries = 20;; tries--) {
      try {
        return await Deno.remove(this.profile, { recursive: true });
      } catch (error) {
        if (tries === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}

/** Resident bytes of a process; NaN where there is no /proc. */
function residentBytes(id: number): number {
  try {
    const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${id}/status`))!;
    return 1024 * Number(kilobytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return NaN;
    throw error;
  }
}

/** The file in which a browser says where it listens, once it is there. */
async function portFile(profile: string): Promise<string> {
  const end = performance.now() + PATIENCE;
  while (performance.now() < end) {
    try {
      const text = await Deno.readTextFile(join(profile, "DevToolsActivePort"));
      if (text.includes("\n")) return text;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("Cannot start Chromium: it did not say where it listens");
}

function complaintOf(method: string, params: Record<string, unknown>): string | null {
  switch (method) {
    case "Runtime.exceptionThrown":
      return JSON.stringify(params.exceptionDetails);
    case "Runtime.consoleAPICalled":
      return ["error", "warning", "assert"].includes(params.type as string)
        ? JSON.stringify(params.args)
        : null;
    case "Log.entryAdded": {
      const { level, text, url } = params.entry as Record<string, string>;
      return level === "error" || level === "warning" ? `${level}: ${text} ${url ?? ""}` : null;
    }
    default:
      return null;
  }
}
