/**
 * Which files are pictures of a person's, by their names.
 *
 * @module
 */

const IMAGE_NAME = /\.(png|jpe?g)$/i;
/**
 * What systems leave behind: hidden files, macOS's notes in archives, thumbnails of network drives,
 * and bins.
 */
const LEFT_BEHIND =
  /^(\.(?!\.?$).*|__MACOSX|@eaDir|@Recycle|@Recently-Snapshot|#recycle|\$RECYCLE\.BIN|lost\+found|System Volume Information)$/i;

/** Whether a file, or a folder that it is in, was left behind by a system. */
export function isHidden(path: string): boolean {
  return path.split("/").some((part) => LEFT_BEHIND.test(part));
}

/** Whether a file's name is that of a picture, and no system left it behind. */
export function isImageName(path: string): boolean {
  return IMAGE_NAME.test(path) && !isHidden(path);
}
