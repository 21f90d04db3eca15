/**
 * Plays the Hugging Face hub and the server that its large files lie on: commits, lists in pages,
 * redirects, ranges, refusals with the hub's codes. Another origin gets no credentials, as S3 refuses
 * them.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Files by path; a string is kept in git, bytes are kept apart, as large files are. */
export type HubContent = Readonly<Record<string, Uint8Array<ArrayBuffer> | string>>;

/** A data set. */
export interface HubSet {
  /** Files by branch. */
  readonly branches: Readonly<Record<string, HubContent>>;
  readonly card?: unknown;
  readonly gated?: "auto" | "manual";
  /** The token that it is shown to, if not to all. */
  readonly owner?: string;
}

/** What happens to answers. */
export interface HubFaults {
  /** Bytes after which the first answer with a large file breaks off. */
  cutAt?: number;
  /** Names of files in lists, as a hostile hub may give them. */
  rename?: (path: string) => string;
  /** Whether it answers at all. */
  down?: boolean;
}

/** A hub that is served. */
export interface TestHub {
  readonly endpoint: string;
  /** Paths of all requests, with the range where one was asked for. */
  readonly asked: string[];
  readonly faults: HubFaults;
  /** The commit of a branch. */
  readonly commitOf: (name: string, branch?: string) => string;
}

const sha1 = (...parts: (Uint8Array | string)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha1")).digest("hex");
const bytesIn = (content: Uint8Array<ArrayBuffer> | string) =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

/** What git calls a file. */
export function gitName(content: Uint8Array<ArrayBuffer> | string): string {
  const bytes = bytesIn(content);
  return sha1(`blob ${bytes.length}\0`, bytes);
}

/** SHA-256 in hex. */
export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function refused(status: number, code: string, text = ""): Response {
  const headers = { "x-error-code": code, ...(text === "" ? {} : { "x-error-message": text }) };
  return Response.json({ error: text || code }, { status, headers });
}

/** Files in a list, two a page. */
function listed(files: HubContent, url: URL, rename: (path: string) => string): Response {
  const entries = Object.entries(files).map(([path, content]) => {
    const bytes = bytesIn(content);
    const pointer = `oid sha256:${sha256(bytes)}`;
    const own = { type: "file", path: rename(path), size: bytes.length };
    return typeof content === "string" ? { ...own, oid: gitName(content) } : {
      ...{ ...own, oid: gitName(pointer) },
      lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: pointer.length },
    };
  });
  const folders = [{ type: "directory", path: "data", size: 0, oid: sha1("tree") }];
  const all = [...folders, ...entries], from = Number(url.searchParams.get("cursor") ?? 0);
  const next = new URL(url);
  next.searchParams.set("cursor", `${from + 2}`);
  const more = from + 2 < all.length;
  return Response.json(all.slice(from, from + 2), {
    headers: more ? { link: `<${next.href}>; rel="next"` } : {},
  });
}

function ranged(request: Request, content: Uint8Array<ArrayBuffer>, faults: HubFaults): Response {
  const from = Number(/\d+/.exec(request.headers.get("range") ?? "")?.[0] ?? 0);
  const cut = faults.cutAt;
  delete faults.cutAt;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(content.slice(from, cut));
      controller.close();
    },
  });
  if (from === 0) return new Response(body);
  const headers = { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` };
  return new Response(body, { status: 206, headers });
}

/** Runs `body` beside a hub with these sets. */
export async function withHub(
  sets: Readonly<Record<string, HubSet>>,
  body: (hub: TestHub) => Promise<void>,
): Promise<void> {
  const asked: string[] = [], faults: HubFaults = {};
  const commitOf = (name: string, branch = "main") =>
    sha1(name, branch, ...Object.entries(sets[name]!.branches[branch]!).flat());
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { branches } of Object.values(sets)) {
    for (const content of Object.values(branches).flatMap((files) => Object.values(files))) {
      blobs.set(sha256(bytesIn(content)), bytesIn(content));
    }
  }
  const quiet = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const store = Deno.serve(quiet, (request) => {
    const { pathname } = new URL(request.url), range = request.headers.get("range");
    asked.push(`store${range === null ? "" : ` ${range}`}`);
    if (request.headers.has("authorization")) {
      return new Response("two credentials", { status: 400 });
    }
    return ranged(request, blobs.get(pathname.slice(1))!, faults);
  });
  const answer = (request: Request): Response => {
    const url = new URL(request.url), path = decodeURIComponent(url.pathname);
    const [, name = "", verb, rest = ""] =
      /^(?:\/api)?\/datasets\/(.+?)\/(revision|tree|resolve)\/(.+)$/.exec(path) ?? [];
    asked.push(`${verb} ${name} ${rest}`);
    const set = sets[name], token = request.headers.get("authorization");
    const hidden = set?.owner !== undefined && token !== `Bearer ${set.owner}`;
    if (!set || hidden && !set.gated) return refused(token ? 404 : 401, "RepoNotFound");
    const commits = Object.keys(set.branches).map((branch) => [commitOf(name, branch), branch]);
    if (verb === "revision") {
      const branch = commits.find((pair) => pair.includes(rest))?.[1];
      if (branch === undefined) return refused(404, "RevisionNotFound");
      const { gated = false, card } = set;
      return Response.json({
        sha: commitOf(name, branch),
        gated,
        ...(card ? { cardData: card } : {}),
      });
    }
    const commit = rest.slice(0, 40), file = rest.slice(41);
    const files = set.branches[commits.find(([own]) => own === commit)?.[1] ?? ""];
    if (!files) return refused(404, "RevisionNotFound");
    if (verb === "tree") return listed(files, url, faults.rename ?? ((path) => path));
    if (hidden) return refused(401, "GatedRepo", `Access to dataset ${name} is restricted.`);
    const content = files[file];
    if (content === undefined) return refused(404, "EntryNotFound");
    if (typeof content === "string") return new Response(content);
    const at = `http://127.0.0.1:${store.addr.port}/${sha256(content)}`;
    return new Response(null, { status: 302, headers: { location: at } });
  };
  const server = Deno.serve(
    quiet,
    (request) => faults.down ? new Response("down", { status: 503 }) : answer(request),
  );
  try {
    const endpoint = `http://127.0.0.1:${server.addr.port}`;
    await body({ endpoint, asked, faults, commitOf });
  } finally {
    await Promise.all([server.shutdown(), store.shutdown()]);
  }
}
