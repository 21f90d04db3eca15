/**
 * What the Hugging Face hub says of a data set: its commit, its card, and its files. Our own two
 * requests, beside @huggingface/hub 2.17.5, whose downloads neither go on where they stopped nor are
 * checked, and which knows nothing of tokens in files, of HF_ENDPOINT and of HF_HUB_OFFLINE: what would
 * be left of it is these requests.
 *
 * @module
 */
import { UsageError } from "../../../support/errors.ts";
import type { HubSettings } from "./settings.ts";

/** A file of a repository. */
export interface HubFile {
  /** "/" between folders. */
  readonly path: string;
  readonly bytes: number;
  /** The name that git has for it: the SHA-1 of the file, or of what stands for it. */
  readonly oid: string;
  /** SHA-256 where the file is kept apart from git, as all large ones are; else null. */
  readonly sha256: string | null;
}

/** A repository at one commit. */
export interface HubInfo {
  readonly commit: string;
  /** Whether its files are given to those alone who asked for them. */
  readonly gated: boolean;
  /** The beginning of its README.md, as JSON; null where there is none. */
  readonly card: unknown;
}

/** Which repository, and which state of it. */
export interface HubRevision {
  /** OWNER/NAME. */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** The hub could not be asked: it may be there another time. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** The hub has no such revision of a repository. */
export class NoRevisionError extends UsageError {
  override name = "NoRevisionError";
}

/** Neither the cache nor the hub has it now. */
export class NotKeptError extends Error {
  override name = "NotKeptError";
}

/** Longest wait for an answer, in milliseconds. */
const PATIENCE = 30_000;
/** Answers are read whole; a list of a thousand files takes about 300 KB. */
const MAX_ANSWER = 64 << 20, MAX_FILES = 1_000_000;

/** The page of a data set, for a person. */
export function pageOf({ endpoint }: HubSettings, repository: string): string {
  return `${endpoint}/datasets/${repository}`;
}

/** What is sent to show who asks. */
export function credentials({ token }: HubSettings): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/**
 * Asks for a data set at a revision.
 *
 * @throws {UsageError} When there is none that this user may see, with what to do.
 * @throws {UnreachableError} When the hub does not answer.
 */
export async function askForInfo(settings: HubSettings, of: HubRevision): Promise<HubInfo> {
  const expand = ["sha", "gated", "cardData"].map((field) => `expand=${field}`).join("&");
  const path = `revision/${encodeURIComponent(of.revision)}?${expand}`;
  const { body } = await ask(settings, of, `${apiOf(settings, of.repository)}/${path}`);
  const { sha, gated, cardData } = (body ?? {}) as Record<string, unknown>;
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) {
    throw new SyntaxError(
      `Cannot use hf:${of.repository}: ${settings.endpoint} must say its commit, it does not`,
    );
  }
  return { commit: sha, gated: gated !== undefined && gated !== false, card: cardData ?? null };
}

/**
 * Asks for all files of a data set.
 *
 * @throws {Error} As {@linkcode askForInfo}; SyntaxError when a name leads out of the repository.
 */
export async function askForFiles(settings: HubSettings, of: HubRevision): Promise<HubFile[]> {
  const files: HubFile[] = [];
  const tree = `tree/${encodeURIComponent(of.revision)}?recursive=true&expand=false`;
  let url: string | null = `${apiOf(settings, of.repository)}/${tree}`;
  while (url !== null) {
    const { body, next }: Answer = await ask(settings, of, url);
    if (!Array.isArray(body) || files.length + body.length > MAX_FILES) {
      throw new SyntaxError(
        `Cannot use hf:${of.repository}: ${url} must be a list of at most ${MAX_FILES} files`,
      );
    }
    for (const entry of body) if (entry?.type === "file") files.push(fileOf(entry, of));
    // A page that leads back to itself, or to none further, would never end.
    url = body.length === 0 || next === url ? null : next;
  }
  return files;
}

function apiOf({ endpoint }: HubSettings, repository: string): string {
  return `${endpoint}/api/datasets/${repository}`;
}

/** An answer's content, and where the next part of it is. */
interface Answer {
  readonly body: unknown;
  readonly next: string | null;
}

async function ask(settings: HubSettings, of: HubRevision, url: string): Promise<Answer> {
  let response: Response, text: string;
  try {
    response = await fetch(url, {
      headers: { accept: "application/json", ...credentials(settings) },
      signal: AbortSignal.timeout(PATIENCE),
    });
    text = await textOf(response);
  } catch (cause) {
    const why = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message;
    throw new UnreachableError(`${settings.endpoint} does not answer (${why})`, { cause });
  }
  if (!response.ok) throw refusal(settings, of, response, text);
  const link = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers.get("link") ?? "");
  try {
    return { body: JSON.parse(text), next: link ? new URL(link[1]!, url).href : null };
  } catch (cause) {
    throw new SyntaxError(`Cannot use hf:${of.repository}: ${url} must answer with JSON`, {
      cause,
    });
  }
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > MAX_ANSWER) throw new RangeError(`more than ${MAX_ANSWER} bytes`);
  }
  return await new Blob(parts).text();
}

/** What an answer that is a refusal means, and what to do. */
function refusal(
  settings: HubSettings,
  { repository, revision }: HubRevision,
  { status, headers }: Response,
  text: string,
): Error {
  const code = headers.get("x-error-code"), page = pageOf(settings, repository);
  if (code === "GatedRepo") return gatedError(settings, repository);
  if (code === "RevisionNotFound") {
    return new NoRevisionError(
      `Cannot find hf:${repository}@${revision}: the revision must be a branch, tag or commit of ` +
        `the data set, got ${JSON.stringify(revision)}; ${page}/tree/main lists them`,
    );
  }
  if (status === 401 || status === 403 || status === 404) {
    return new UsageError(
      `Cannot find hf:${repository}: it must be a data set that this user may see, the hub answered ` +
        `${status}${
          code === null ? "" : ` (${code})`
        }; look for its name at ${page}, and where it ` +
        `is private, ${howToken(settings)}`,
    );
  }
  const why = headers.get("x-error-message") ?? text.slice(0, 200).replaceAll(/\s+/g, " ");
  return new UnreachableError(`${settings.endpoint} answered ${status} (${why})`);
}

/** A data set whose owner gives its files to those who ask. */
export function gatedError(settings: HubSettings, repository: string): UsageError {
  return new UsageError(
    `Cannot fetch hf:${repository}: its owner must have given this user access, the hub says no; ` +
      `ask for it at ${pageOf(settings, repository)}, then ${howToken(settings)}`,
  );
}

function howToken({ token }: HubSettings): string {
  return token === null
    ? `set HF_TOKEN to a token of ${"https://huggingface.co/settings/tokens"}, or run "hf auth login"`
    : 'check that the token of HF_TOKEN, or of "hf auth login", is of the user who may';
}

function fileOf(entry: Record<string, unknown>, { repository }: HubRevision): HubFile {
  const { path, size, oid } = entry;
  const sha256 = (entry.lfs as { oid?: unknown } | undefined)?.oid ?? null;
  const file = { path, bytes: size, oid, sha256 };
  if (isHubFile(file)) return file;
  throw new SyntaxError(
    `Cannot use hf:${repository}: its files must have a name inside of it, a size and a checksum, ` +
      `got ${JSON.stringify(file).slice(0, 200)}`,
  );
}

/** Whether a file is what the hub says of one, and its name stays inside of a folder. */
export function isHubFile(file: Readonly<Record<keyof HubFile, unknown>>): file is HubFile {
  const { path, bytes, oid, sha256 } = file;
  return typeof path === "string" && isInside(path) &&
    Number.isSafeInteger(bytes) && (bytes as number) >= 0 &&
    typeof oid === "string" && /^[0-9a-f]{40}$/.test(oid) &&
    (sha256 === null || typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256));
}

function isInside(path: string): boolean {
  return path !== "" && !/[\\\0]|^[A-Za-z]:/.test(path) &&
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
