/**
 * Which files are pictures of a person's, by their names.
 *
 * @module
 */

const IMAGE_NAME = /\.(png|jpe?g|jpe|jfif|webp)$/i;
/**
 * What systems leave behind: hidden files, macOS's notes in archives, thumbnails of network drives,
 * and bins.
 */
const LEFT_BEHIND =
  /^(\.(?!\.?$).*|__MACOSX|@eaDir|@Recycle|@Recently-Snapshot|#recycle|\$RECYCLE\.BIN|lost\+found|System Volume Information)$/i;

/** Whether a file, or a folder that it is in, was left behind by a system. */
export function isHidden(path: string): boolean {
  return path.split(/[\\/]/).some((part) => LEFT_BEHIND.test(part));
}

/** Whether a file's name is that of a picture, and no system left it behind. */
export function isImageName(path: string): boolean {
  return IMAGE_NAME.test(path) && !isHidden(path);
}

/** Kinds of pictures that are not read. */
const FOREIGN_PICTURE = /\.(heic|heif|avif|jxl|gif|bmp|tiff?|jp2|tga|ppm|pgm|svg)$/i;

/** Whether a file's name is that of a picture of a kind that is not read. */
export function isForeignPicture(path: string): boolean {
  return FOREIGN_PICTURE.test(path) && !isHidden(path);
}

/** Archives that lie among pictures, and are not opened there. */
const ARCHIVE = /\.(zip|tar|tgz|7z|rar|tar\.(gz|bz2|xz|zst))$/i;

/** Whether a file's name is that of an archive. */
export function isArchiveName(path: string): boolean {
  return ARCHIVE.test(path) && !isHidden(path);
}

const LONGEST_SHOWN = 200;

/** A name for a person, in one line and not without end. */
export function shownName(name: string): string {
  const escaped = printable(name);
  if (escaped.length <= LONGEST_SHOWN) return escaped;
  return `${escaped.slice(0, LONGEST_SHOWN / 2)}...${escaped.slice(-LONGEST_SHOWN / 2)}`;
}

/** Text with names in it, in one line and without what a terminal would obey. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (letter) => {
    if (letter === "\n") return "\\n";
    const code = letter.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`;
  });
}
