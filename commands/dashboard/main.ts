/**
 * Shows runs in a web page, live: `deno task dashboard [RUN ...]`.
 *
 * @module
 */
import { join } from "node:path";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { onEndSignals } from "../../support/signals.ts";
import { integer } from "../../support/numbers.ts";
import { ifThere } from "../../support/absence.ts";
import { makeHandler } from "./handler.ts";
import { RunWatch } from "./watch.ts";

/** Where the page is, unless a port is named. */
const PORT = 6060;
/** Ports that are tried from there on. */
const TRIES = 20;

const command = defineCommand({
  name: "dashboard",
  summary: "Show runs in a web page: curves, samples and spectra, as they come.",
  description:
    "Runs may be written by any process, and begin later. Only this machine can see the " +
    "page, unless --host says otherwise. Ctrl-C ends it.",
  arguments: [{
    name: "RUN...",
    description: "folders of runs, or with runs in them; runs/ if none",
  }],
  options: {
    port: {
      value: "N",
      description: `the page's port; the first free one from ${PORT}`,
      parse: integer({ min: 0, max: 65535 }),
    },
    host: { value: "ADDRESS", description: "the address to serve on", default: "127.0.0.1" },
    allowHost: {
      value: "NAMES",
      description: "names by which a proxy asks for the page, as in hub.example.org,10.0.0.7",
      parse: parseHosts,
      default: [],
    },
    open: { description: "open the page in the browser" },
  },
  examples: [
    { args: "", does: "shows all runs in runs/" },
    {
      args: "--allow-host hub.example.org",
      does: "lets a proxy of that name show the page, below any path",
    },
    { args: "runs/a runs/b --open", does: "compares two runs, in a browser that it opens" },
  ],
});

/** Host names between commas, as a request has them: lower case, no port. */
function parseHosts(text: string): string[] {
  return text.split(",").map((name) => {
    const url = URL.parse(`http://${name.trim()}/`);
    if (url === null || url.hostname === "" || url.port !== "" || url.pathname !== "/") {
      throw new RangeError(
        `must be host names without scheme, port or path, between commas, got "${name}"`,
      );
    }
    return url.hostname;
  });
}

type Handler = (request: Request) => Promise<Response>;

/** Serves on the port that is named, or on the first free one. */
function serve(handler: Handler, hostname: string, named: number | undefined): Deno.HttpServer {
  const first = named ?? PORT;
  for (let port = first;; port++) {
    try {
      return Deno.serve({ hostname, port, onListen: () => {} }, handler);
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) {
        if (named === undefined && port + 1 < first + TRIES) continue;
        const which = named ?? `one of ${first} to ${port}`;
        throw new Error(
          `Cannot serve the page: port ${which} must be free, other programs use it; choose another ` +
            "by --port",
          { cause: error },
        );
      }
      if (isWrongHost(error)) {
        throw new UsageError(
          `Cannot serve the page: --host must be an address of this machine, got "${hostname}"`,
          { cause: error },
        );
      }
      throw error;
    }
  }
}

/** Whether an error says that a host is not of this machine, unknown, or no name at all. */
function isWrongHost(error: unknown): boolean {
  if (error instanceof Deno.errors.AddrNotAvailable) return true;
  if (error instanceof TypeError || error instanceof URIError) return true;
  // Names that are not found have no class of their own.
  return error instanceof Error && /failed to lookup address|os error 11001/.test(error.message);
}

/** Whether a folder is there; refuses a path that cannot have runs in it, not even later. */
async function checkFolder(path: string): Promise<boolean> {
  const stat = await ifThere(() => Deno.stat(path));
  if (stat && !stat.isDirectory) {
    throw new UsageError(
      `Cannot show ${path}: it must be the folder of a run, or have runs in it, it is a file`,
    );
  }
  return stat !== null;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/** Opens an address in the browser; where that cannot be done, the printed address must do. */
async function openBrowser(url: string): Promise<void> {
  const [program = "", ...args] = {
    darwin: ["open"],
    windows: ["rundll32", "url.dll,FileProtocolHandler"],
  }[Deno.build.os as string] ?? ["xdg-open"];
  try {
    const { success } = await new Deno.Command(program, { args: [...args, url] }).output();
    if (success) return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  console.error(`note: no browser could be opened, ${program} failed`);
}

async function dashboard(
  { arguments: paths, options }: Invocation<typeof command.options>,
): Promise<void> {
  const shown = paths.length > 0 ? paths : ["runs"];
  const missing: string[] = [];
  for (const path of shown) if (!await checkFolder(path)) missing.push(path);
  let said = "";
  const watch = new RunWatch(shown, {
    // The same every second would tell nothing new.
    complain: (error) => {
      const line = `note: ${error instanceof Error ? error.message : error}`;
      if (line !== said) console.error(said = line);
    },
  });
  await watch.look();
  const loopback = isLoopback(options.host);
  const server = serve(
    makeHandler(watch, loopback ? options.allowHost : null),
    options.host,
    options.port,
  );
  const end = () => {
    unwatch();
    void watch.close().then(() => server.shutdown());
  };
  const unwatch = onEndSignals({ asked: end, hangup: end });
  const { port } = server.addr as Deno.NetAddr;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  const url = `http://${host}:${port}/`;
  if (options.port === undefined && port !== PORT) {
    console.log(`Port ${PORT} is taken, so the page is on ${port}`);
  }
  const found = watch.size === 0
    ? "no runs yet"
    : `${watch.size} run${watch.size === 1 ? "" : "s"}`;
  for (const path of missing) {
    console.log(
      `note: there is no folder ${path} yet; the page shows its runs once they begin, as by ` +
        `\`deno task train --run.dir=${join(path, "NAME")}\`. For runs elsewhere name their folder`,
    );
  }
  console.log(`Dashboard  ${url}  ${found} in ${shown.join(", ")}; Ctrl-C ends it`);
  if (!loopback) console.log("note: other machines can see this page");
  if (options.open) await openBrowser(url);
  await server.finished;
}

if (import.meta.main) await runCommand(command, dashboard);
