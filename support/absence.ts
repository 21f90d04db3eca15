/**
 * Files and folders that others make and remove while they are looked at.
 *
 * @module
 */

/** Whether an error says that a file or folder is not there, or not to be seen. */
export function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.IsADirectory;
}

/** What a look at a file or folder gives; null where it is not there. */
export async function ifThere<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (isAbsence(error)) return null;
    throw error;
  }
}
