/**
 * What libjpeg-turbo 3 makes of the small JPEG files in tests/golden/pictures with its default
 * settings (through Pillow 12).
 *
 * @module
 */

/** A file's pixels. */
export interface JpegFixture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** SHA-256 of the pixels. */
  readonly sha256: string;
  /** The pixel at the top left. */
  readonly first: readonly number[];
}

/** The bytes of a fixture: "grey progressive" is in grey-progressive.jpg. */
export function jpegBytes({ name }: JpegFixture): Uint8Array<ArrayBuffer> {
  const file = `${name.replaceAll(/[^a-z0-9]+/g, "-")}.jpg`;
  return Deno.readFileSync(new URL(`../golden/pictures/${file}`, import.meta.url));
}

/** The files. */
export const JPEG_FIXTURES: readonly JpegFixture[] = [
  {
    name: "photograph 4:2:0",
    width: 32,
    height: 32,
    channels: 3,
    sha256: "7ffd0e5abfc81182f8cb4c7dd41781c83c282353d86710c8d6e626ce2bfb8dbb",
    first: [54, 43, 49],
  },
  {
    name: "photograph of a truck",
    width: 32,
    height: 32,
    channels: 3,
    sha256: "f8bb5486ea44f6f76c350dd7abc080369bd77505d6d54b59cbdbb090f189d6be",
    first: [211, 116, 122],
  },
  {
    name: "progressive 4:2:0",
    width: 32,
    height: 32,
    channels: 3,
    sha256: "f69abdad79e70823ff245af619bdc030af840691fab6d7f0ee7dccd2d7689331",
    first: [15, 10, 6],
  },
  {
    name: "4:2:2 with restarts",
    width: 33,
    height: 19,
    channels: 3,
    sha256: "654631e636d5406e0d981c8467a0b9a370929756f01fe9ea18ff28c5458a0b60",
    first: [67, 50, 66],
  },
  {
    name: "4:4:4 progressive",
    width: 9,
    height: 17,
    channels: 3,
    sha256: "0aee38e1300016d9ece634da38d802e670de371cffb9a7e1fcf5d50ae1cdfb04",
    first: [45, 34, 50],
  },
  {
    name: "grey",
    width: 17,
    height: 9,
    channels: 1,
    sha256: "9a4689aad896361cee680b3c43b7e5b078350b231e81cad35f15ed3238fc39ba",
    first: [15],
  },
  {
    name: "grey progressive",
    width: 20,
    height: 20,
    channels: 1,
    sha256: "6472df5b9ea436d48b858e1a25680197144239e6a09923b2a769b4f3c3040bfb",
    first: [14],
  },
  {
    name: "rgb",
    width: 12,
    height: 12,
    channels: 3,
    sha256: "272f3c779480083715362dd6e3b03f99ecef88cb0f51843d6f8fee0b46b802de",
    first: [57, 40, 48],
  },
  {
    name: "cmyk",
    width: 12,
    height: 10,
    channels: 3,
    sha256: "c7adac3c2786c699267e8caa4b3551fcb7d68ed16d6beea1e1fb059e32c4a16e",
    first: [23, 7, 65],
  },
  {
    name: "ycck",
    width: 12,
    height: 10,
    channels: 3,
    sha256: "4cd851d0e21ac59b3872e98c3996b3cc114dbe58ff8d4a44640b71ce5671c72a",
    first: [223, 130, 223],
  },
  {
    name: "4:4:0",
    width: 15,
    height: 31,
    channels: 3,
    sha256: "c5701a68f459ee197dfb0d907ea8d32c030ec042b06eb89023ff32c464eed535",
    first: [41, 37, 38],
  },
  {
    name: "4:1:1",
    width: 31,
    height: 15,
    channels: 3,
    sha256: "05e64ee30537cc2511eb69ecb5c453dce3f6b12ea1b080ea1639f263dc8e830a",
    first: [68, 48, 73],
  },
  {
    name: "one pixel",
    width: 1,
    height: 1,
    channels: 3,
    sha256: "b38d93f8c38715eaa551aa3506c15e19479955256f6e0c7939692e0658ae07df",
    first: [137, 116, 85],
  },
  {
    name: "two columns 4:2:0",
    width: 3,
    height: 40,
    channels: 3,
    sha256: "c9472e59b36b4a551f25364f558315013d73b53a21ff3dbbd8c0e48e1d6db84a",
    first: [55, 40, 33],
  },
];
