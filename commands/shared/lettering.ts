/**
 * Letters for pictures: a face of 3 x 5 pixels, enlarged. Enough for titles and axes.
 *
 * @module
 */

/** Rows of each glyph from the top, three bits each, the left pixel highest. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  "0": [7, 5, 5, 5, 7],
  "1": [2, 6, 2, 2, 7],
  "2": [7, 1, 7, 4, 7],
  "3": [7, 1, 3, 1, 7],
  "4": [5, 5, 7, 1, 1],
  "5": [7, 4, 7, 1, 7],
  "6": [7, 4, 7, 5, 7],
  "7": [7, 1, 1, 2, 2],
  "8": [7, 5, 7, 5, 7],
  "9": [7, 5, 7, 1, 7],
  "A": [2, 5, 7, 5, 5],
  "B": [6, 5, 6, 5, 6],
  "C": [3, 4, 4, 4, 3],
  "D": [6, 5, 5, 5, 6],
  "E": [7, 4, 6, 4, 7],
  "F": [7, 4, 6, 4, 4],
  "G": [3, 4, 5, 5, 3],
  "H": [5, 5, 7, 5, 5],
  "I": [7, 2, 2, 2, 7],
  "J": [1, 1, 1, 5, 2],
  "K": [5, 5, 6, 5, 5],
  "L": [4, 4, 4, 4, 7],
  "M": [5, 7, 7, 5, 5],
  "N": [6, 5, 5, 5, 5],
  "O": [2, 5, 5, 5, 2],
  "P": [6, 5, 6, 4, 4],
  "Q": [2, 5, 5, 6, 3],
  "R": [6, 5, 6, 5, 5],
  "S": [3, 4, 2, 1, 6],
  "T": [7, 2, 2, 2, 2],
  "U": [5, 5, 5, 5, 7],
  "V": [5, 5, 5, 5, 2],
  "W": [5, 5, 7, 7, 5],
  "X": [5, 5, 2, 5, 5],
  "Y": [5, 5, 2, 2, 2],
  "Z": [7, 1, 2, 4, 7],
  ".": [0, 0, 0, 0, 2],
  ",": [0, 0, 0, 2, 4],
  ":": [0, 2, 0, 2, 0],
  "-": [0, 0, 7, 0, 0],
  "+": [0, 2, 7, 2, 0],
  "%": [5, 1, 2, 4, 5],
  "(": [1, 2, 2, 2, 1],
  ")": [4, 2, 2, 2, 4],
  "/": [1, 1, 2, 4, 4],
  " ": [0, 0, 0, 0, 0],
};

/** Width of a letter with its gap, and height, before scaling. */
const ADVANCE = 4, HEIGHT = 5;

/** The size of a text in pixels. */
export function textSize(text: string, scale: number): { width: number; height: number } {
  return { width: (ADVANCE * text.length - 1) * scale, height: HEIGHT * scale };
}

/**
 * Draws a text; small letters become capitals, unknown ones blanks.
 *
 * @param dot Paints one square of `scale` pixels whose upper left corner is at x, y.
 */
export function drawText(
  text: string,
  x: number,
  y: number,
  scale: number,
  dot: (x: number, y: number) => void,
): void {
  [...text.toUpperCase()].forEach((letter, i) => {
    (GLYPHS[letter] ?? GLYPHS[" "]!).forEach((bits, row) => {
      for (let column = 0; column < 3; column++) {
        if ((bits >> (2 - column)) & 1) dot(x + (ADVANCE * i + column) * scale, y + row * scale);
      }
    });
  });
}
