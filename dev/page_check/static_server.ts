/**
 * A server of files, as a page is put on the web: it knows ranges, and nothing of the page.
 *
 * @module
 */
import { extname, join } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ...{ ".html": "text/html", ".js": "text/javascript", ".css": "text/css" },
  ...{ ".svg": "image/svg+xml", ".json": "application/json", ".png": "image/png" },
};

/** Serves a folder below a path, as a project's page has one; the address ends with a slash. */
export async function serveFolder(
  folder: string,
  body: (url: string) => Promise<void>,
): Promise<void> {
  const base = "/some/project/";
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const name = pathname.startsWith(base) ? pathname.slice(base.length) || "index.html" : "none";
      try {
        const content = await Deno.readFile(join(folder, name));
        const headers = { "content-type": TYPES[extname(name)] ?? "application/octet-stream" };
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
        if (!range) return new Response(content, { headers });
        const part = content.subarray(Number(range[1]), Number(range[2]) + 1);
        return new Response(part, { status: 206, headers });
      } catch {
        return new Response("", { status: 404 });
      }
    },
  );
  try {
    await body(`http://127.0.0.1:${server.addr.port}${base}`);
  } finally {
    await server.shutdown();
  }
}
