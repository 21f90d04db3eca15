/**
 * Answers the requests of the dashboard's page: the page itself, pictures of runs, and the stream of
 * what changes. Nothing else of the machine can be had from it.
 *
 * @module
 */
import { stripTypeScriptTypes } from "node:module";
import { relative } from "node:path";
import { readFace } from "../../formats/face.ts";
import { runFolder } from "../../training/run_folder.ts";
import { isAbsence } from "../../support/absence.ts";
import type { RunWatch } from "./watch.ts";

/** Modules of the page by address, relative to the project; imports between them work as they are. */
const MODULES = [
  "commands/dashboard/page/charts.ts",
  "commands/dashboard/page/config_table.ts",

  "commands/dashboard/page/format.ts",
  "commands/dashboard/page/heat_map.ts",
  "commands/dashboard/page/line_chart.ts",
  "commands/dashboard/page/lines.ts",
  "commands/dashboard/page/main.ts",
  "commands/dashboard/page/model.ts",
  "commands/dashboard/page/run_list.ts",
  "commands/dashboard/page/samples.ts",
  "commands/dashboard/page/settings.ts",
  "commands/dashboard/page/summary.ts",
  "commands/shared/dom.ts",
  "run_log/charts/colours.ts",
  "run_log/charts/descriptions.ts",
  "run_log/charts/heat_map.ts",
  "run_log/charts/plot.ts",
  "run_log/charts/scale.ts",
  "run_log/charts/shapes.ts",
  "run_log/log_lines.ts",
];

/** Other files of the page. */
const FILES: Readonly<Record<string, [file: string, type: string]>> = {
  "/": ["commands/dashboard/page/index.html", "text/html; charset=utf-8"],
  "/icon.svg": ["commands/dashboard/page/icon.svg", "image/svg+xml"],
};

/** Style sheets, in the order in which the page takes them. */
const STYLES = ["base", "colours", "controls", "columns", "run", "charts", "tables", "narrow"].map((
  name,
) => `${name}.css`);

const FACES = ["400", "500", "600"];

/** The page may load what this server has, and nothing else; no script or style stands in it. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
  "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'";

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-cache",
};

/** Kept for good: the address changes with the content. */
const LASTING = { "cache-control": "private, max-age=31536000, immutable" };

/** Names of this machine. */
const OWN_NAMES = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

const ROOT = new URL("../../", import.meta.url);

/**
 * The handler of requests.
 *
 * @param hosts Names, in lower case and without a port, by which the page may be asked for beside
 *   this machine's own, as behind a proxy. Requests in any other name are refused: a web page's name
 *   can be made to mean this machine. Null takes any name.
 */
export function makeHandler(
  watch: RunWatch,
  hosts: readonly string[] | null = [],
): (request: Request) => Promise<Response> {
  return async (request) => {
    const { hostname, pathname } = new URL(request.url);
    if (hosts !== null && !OWN_NAMES.test(hostname) && !hosts.includes(hostname)) {
      return refusal(
        403,
        `This page is for the machine that it runs on: --allow-host ${hostname} serves this name too`,
      );
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refusal(405, "Only GET and HEAD are understood");
    }
    if (request.headers.get("sec-fetch-site") === "cross-site") {
      return refusal(403, "Other sites may not ask here");
    }
    try {
      const response = await answer(watch, pathname) ?? refusal(404, "There is nothing here");
      if (request.method === "GET") return response;
      await response.body?.cancel();
      return new Response(null, response);
    } catch (error) {
      if (isAbsence(error)) return refusal(404, "There is nothing here");
      throw error;
    }
  };
}

async function answer(watch: RunWatch, pathname: string): Promise<Response | null> {
  if (pathname === "/events") return reply(watch.listen(), "text/event-stream");
  const file = FILES[pathname];
  if (file) return reply(await Deno.readFile(new URL(file[0], ROOT)), file[1]);
  const module = pathname.slice(1);
  if (MODULES.includes(module)) {
    const source = await Deno.readTextFile(new URL(module, ROOT));
    return reply(stripTypeScriptTypes(source), "text/javascript; charset=utf-8");
  }
  const [, folder = "", ...rest] = pathname.split("/");
  if (folder === "face" && rest.length === 1 && FACES.includes(rest[0]!)) {
    return reply(await readFace(`inter-latin-${rest[0]}-normal`), "font/woff2", LASTING);
  }
  const [style] = rest;
  if (folder === "style" && rest.length === 1 && STYLES.includes(style!)) {
    const sheet = new URL(`commands/dashboard/page/style/${style}`, ROOT);
    return reply(await Deno.readFile(sheet), "text/css; charset=utf-8");
  }
  if (folder === "samples" && rest.length === 2) return await picture(watch, rest[0]!, rest[1]!);
  return null;
}

/** A picture of a run, as long as it really lies in the run's folder of samples. */
async function picture(watch: RunWatch, id: string, name: string): Promise<Response | null> {
  const path = watch.picturePath(id, name), dir = watch.runFolder(id);
  if (path === null || dir === null) return null;
  const real = await Deno.realPath(path);
  const folder = await Deno.realPath(runFolder(dir).samples);
  if (relative(folder, real) !== name) return null;
  return reply(await Deno.readFile(real), "image/png", LASTING);
}

function reply(body: BodyInit, type: string, more: Record<string, string> = {}): Response {
  return new Response(body, { headers: { ...HEADERS, "content-type": type, ...more } });
}

function refusal(status: number, text: string): Response {
  const headers = { ...HEADERS, "content-type": "text/plain; charset=utf-8" };
  return new Response(`${text}\n`, { status, headers });
}
