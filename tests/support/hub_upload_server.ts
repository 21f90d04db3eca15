/**
 * Plays the Hugging Face hub for who sends files to it: repositories of models, branches, preupload, LFS
 * and its store, commits. As the hub and S3 do, it refuses what it was not told of: files of another
 * checksum or length than announced, bodies without a length, commits of files that never came.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Buffer } from "node:buffer";

/** A repository. */
export interface SentRepository {
  isPrivate: boolean;
  /** Files by branch and name. */
  readonly branches: Map<string, Map<string, Uint8Array>>;
  /** First lines of the commits' messages. */
  readonly commits: string[];
}

/** What happens to requests. */
export interface UploadFaults {
  /** Whether the store is down. */
  storeDown?: boolean;
}

/** A hub that is served. */
export interface UploadHub {
  readonly endpoint: string;
  readonly repositories: Map<string, SentRepository>;
  /** Method and path of all requests. */
  readonly asked: string[];
  readonly faults: UploadFaults;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const refused = (status: number, error: string) => Response.json({ error }, { status });

interface Line {
  key: string;
  value: { path: string; content: string; encoding: string; oid: string; size: number } & {
    summary: string;
  };
}

/** Takes a commit's lines; a text says what is wrong with them. */
function commitTo(
  { branches, commits }: SentRepository,
  branch: string,
  lines: readonly Line[],
  store: ReadonlyMap<string, Uint8Array>,
): string | null {
  const files = branches.get(branch);
  if (!files) return `no branch ${branch}`;
  const added = new Map<string, Uint8Array>();
  for (const { key, value } of lines) {
    if (key === "header") commits.push(value.summary);
    if (key === "file") added.set(value.path, Buffer.from(value.content, "base64"));
    if (key !== "lfsFile") continue;
    const content = store.get(value.oid);
    if (content?.length !== value.size) return `no file ${value.oid} of ${value.size} bytes`;
    added.set(value.path, content);
  }
  for (const [path, content] of added) files.set(path, content);
  return null;
}

/** Runs `body` beside a hub that takes files by this token; text that is longer goes to LFS. */
export async function withUploadHub(
  token: string,
  body: (hub: UploadHub) => Promise<void>,
): Promise<void> {
  const repositories = new Map<string, SentRepository>(), store = new Map<string, Uint8Array>();
  const announced = new Map<string, number>(), asked: string[] = [], faults: UploadFaults = {};
  const take = async (request: Request, oid: string): Promise<Response> => {
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (faults.storeDown) return new Response("slow down", { status: 503 });
    if (request.headers.has("authorization")) return new Response("two", { status: 400 });
    if (request.headers.get("content-length") !== `${bytes.length}`) {
      return new Response("MissingContentLength", { status: 411 });
    }
    if (announced.get(oid) !== bytes.length || sha256(bytes) !== oid) {
      return new Response("BadDigest", { status: 400 });
    }
    store.set(oid, bytes);
    return new Response();
  };
  const answer = async (request: Request, path: string): Promise<Response> => {
    const [, lfsName] = /^\/(.+?\/.+?)\.git\/info\/lfs\/objects\/batch$/.exec(path) ?? [];
    const [, apiName = lfsName, verb, branch = ""] =
      /^\/api\/models\/(.+?\/.+?)\/(preupload|commit|branch|revision)\/(.+)$/.exec(path) ?? [];
    const text = await request.text();
    if (request.headers.get("authorization") !== `Bearer ${token}`) {
      return refused(401, "Invalid credentials in Authorization header");
    }
    if (path === "/api/repos/create") {
      const { name, organization, visibility, type } = JSON.parse(text);
      const full = `${organization}/${name}`;
      if (type !== "model") return refused(400, "not a model");
      if (repositories.has(full)) return refused(409, "You already created this model repo");
      const branches = new Map([["main", new Map()]]);
      repositories.set(full, { isPrivate: visibility === "private", branches, commits: [] });
      return Response.json({ url: full, id: full });
    }
    const repository = repositories.get(apiName ?? "");
    if (!repository) return refused(404, "Repository not found");
    if (lfsName) {
      const { objects, transfers } = JSON.parse(text);
      if (!transfers.includes("basic")) return refused(400, "no transfer");
      const actionsOf = (oid: string, size: number) => {
        announced.set(oid, size);
        if (store.has(oid)) return {};
        return { actions: { upload: { href: `${endpoint}/store/${oid}?signature=secret` } } };
      };
      return Response.json({
        transfer: "basic",
        objects: objects.map(({ oid, size }: { oid: string; size: number }) => ({
          ...{ oid, size },
          ...actionsOf(oid, size),
        })),
      });
    }
    if (verb === "revision") return Response.json({ private: repository.isPrivate });
    if (verb === "branch") {
      const { branches } = repository, main = branches.get("main")!;
      if (branches.has(branch) && !JSON.parse(text).overwrite) return refused(409, "exists");
      branches.set(branch, branches.get(branch) ?? new Map(main));
      return new Response();
    }
    if (verb === "preupload") {
      const files = JSON.parse(text).files.map(({ path }: { path: string }) => ({
        ...{ path, uploadMode: /\.(safetensors|png)$/.test(path) ? "lfs" : "regular" },
        shouldIgnore: false,
      }));
      return Response.json({ files });
    }
    const lines = text.split("\n").map((line) => JSON.parse(line) as Line);
    const wrong = commitTo(repository, branch, lines, store);
    if (wrong !== null) return refused(400, wrong);
    return Response.json({ commitOid: "c0ffee".padEnd(40, "0"), commitUrl: "", hookOutput: "" });
  };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname);
      asked.push(`${request.method} ${path}`);
      const [, oid] = /^\/store\/(.+)$/.exec(path) ?? [];
      return oid ? await take(request, oid) : await answer(request, path);
    },
  );
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  try {
    await body({ endpoint, repositories, asked, faults });
  } finally {
    await server.shutdown();
  }
}
