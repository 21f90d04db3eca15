/**
 * Commits files to a repository of the Hugging Face hub: the wrapper of @huggingface/hub, which only who
 * sends something loads. Large files go by the plain LFS protocol, which every server with the hub's
 * interface has, and which lets a repeated call leave out what has already arrived.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { UsageError } from "./errors.ts";

/** Longest wait for an answer, in milliseconds, and for a byte of a large file. */
const PATIENCE = 60_000, PATIENCE_A_BYTE = 1 / 32;

/** What is sent and where to. */
export interface HubUpload {
  /** Address of the hub without a slash at its end. */
  readonly endpoint: string;
  /** Whose name the files are sent in. */
  readonly token: string;
  /** OWNER/NAME of a repository of models; made where there is none. */
  readonly repository: string;
  /** The branch that the files go to; made where there is none. Null is the main one. */
  readonly branch: string | null;
  /** Whether nobody else may see the repository. */
  readonly isPrivate: boolean;
  /** First line of the commit's message. */
  readonly title: string;
  readonly files: readonly UploadFile[];
}

/** A file that is sent. */
export interface UploadFile {
  /** Its name in the repository, "/" between folders. */
  readonly name: string;
  /** Where it is on this machine. */
  readonly path: string;
}

/** @internal */
type Library = typeof import("@huggingface/hub");

/**
 * Makes the repository where there is none, and adds or replaces files in one commit: all or none.
 *
 * @returns The commit.
 * @throws {UsageError} When the hub refuses this user, name or token.
 * @throws {Error} One line, when it does not answer or breaks off; the call can be repeated.
 */
export async function uploadToHub(upload: HubUpload): Promise<string> {
  const library = await import("@huggingface/hub");
  try {
    return await send(library, upload);
  } catch (error) {
    throw errorOf(library, upload, error);
  }
}

async function send(library: Library, upload: HubUpload): Promise<string> {
  const { endpoint, token, repository, branch, isPrivate, title, files } = upload;
  const around = { hubUrl: endpoint, accessToken: token, fetch: patientFetch };
  const repo = { type: "model", name: repository } as const;
  try {
    await library.createRepo({ ...around, repo, ...isPrivate ? { visibility: "private" } : {} });
  } catch (error) {
    if (!(error instanceof library.HubApiError && error.statusCode === 409)) throw error;
    if (isPrivate && !(await library.modelInfo({ ...around, name: repository })).private) {
      throw new UsageError(
        `Cannot send to ${repository}: it must be private, there is a public one; make it private ` +
          `at ${endpoint}/${repository}/settings, or choose another name`,
      );
    }
  }
  if (branch !== null && branch !== "main") {
    await library.createBranch({ ...around, repo, branch, overwrite: true });
  }
  const output = await library.commit({
    ...{ ...around, repo, title, branch: branch ?? "main", useXet: false },
    operations: files.map(({ name, path }) => ({
      ...{ operation: "addOrUpdate", path: name, content: pathToFileURL(path) } as const,
    })),
  });
  if (output) return output.commit.oid;
  throw new Error("the hub must name the commit, it does not");
}

/** A request that ends, also where the other side says nothing. */
const patientFetch: typeof fetch = (input, init) => {
  const bytes = init?.body instanceof Blob ? init.body.size : 0;
  const limit = AbortSignal.timeout(PATIENCE + bytes * PATIENCE_A_BYTE);
  const signal = init?.signal ? AbortSignal.any([init.signal, limit]) : limit;
  return fetch(input, { ...init, signal });
};

/** What went wrong, without addresses, which may carry credentials. */
function errorOf({ HubApiError }: Library, upload: HubUpload, error: unknown): Error {
  const { endpoint, repository } = upload;
  if (error instanceof UsageError) return error;
  const { message, cause: inner } = error as Error;
  const what = message.replace(/\.? URL: .*$/s, "").replaceAll(/https?:\S+/g, "...")
    .replaceAll(/\s+/g, " ");
  const start = `Cannot send to ${repository}`;
  if (error instanceof HubApiError) {
    const { statusCode: status } = error, answer = `answered ${status} (${what})`;
    if (status === 401 || status === 403) {
      return new UsageError(
        `${start}: the token must be of a user who may write there, ${endpoint} ${answer}; ` +
          "https://huggingface.co/settings/tokens makes such tokens",
      );
    }
    if (status === 400 || status === 404 || status === 422) {
      return new UsageError(`${start}: ${endpoint} ${answer}`);
    }
    return new Error(`${start}: ${endpoint} ${answer}; run the same command again`);
  }
  if (/access token must start/.test(message)) {
    return new UsageError(`${start}: a token must start with hf_, this user's does not`);
  }
  const why = (inner as Error | undefined)?.message?.replaceAll(/\s+/g, " ") ?? what;
  return new Error(
    `${start}: ${endpoint} must take the files, it does not (${why}); check the network, and run the ` +
      "same command again",
    { cause: error },
  );
}
