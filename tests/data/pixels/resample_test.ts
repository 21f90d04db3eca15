import { createHash } from "node:crypto";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { resample, resampleF32 } from "../../../data/pixels/resample.ts";
import { resampleReference } from "../../reference/resample.ts";
import { bytesOf } from "../fixtures.ts";

const image = (height: number, width: number, channels: number) => ({
  images: bytesOf(height * width * channels, height * 1000 + width),
  count: 1,
  height,
  width,
  channels,
});

/** What Pillow 12 makes of such images: the pixels, or their SHA-256. */
const PILLOW: readonly [
  height: number,
  width: number,
  channels: number,
  toHeight: number,
  toWidth: number,
  filter: "bilinear" | "bicubic",
  pixels: readonly number[] | string,
][] = [
  [7, 5, 1, 3, 2, "bilinear", [142, 110, 131, 146, 111, 119]],
  [7, 5, 1, 3, 2, "bicubic", [146, 108, 129, 145, 110, 120]],
  [4, 6, 3, 4, 3, "bilinear", [
    193,
    124,
    203,
    136,
    147,
    101,
    203,
    137,
    100,
    93,
    54,
    90,
    95,
    110,
    123,
    113,
    170,
    64,
    71,
    96,
    135,
    119,
    135,
    154,
    150,
    230,
    162,
    86,
    207,
    217,
    91,
    217,
    113,
    114,
    156,
    119,
  ]],
  [4, 6, 3, 4, 3, "bicubic", [
    199,
    121,
    213,
    126,
    150,
    93,
    210,
    136,
    101,
    92,
    49,
    88,
    93,
    110,
    130,
    115,
    176,
    58,
    67,
    93,
    134,
    120,
    130,
    155,
    153,
    239,
    163,
    84,
    206,
    227,
    89,
    222,
    105,
    117,
    150,
    120,
  ]],
  [9, 9, 1, 4, 4, "bilinear", [
    105,
    85,
    121,
    109,
    104,
    89,
    147,
    170,
    135,
    133,
    154,
    113,
    148,
    110,
    140,
    77,
  ]],
  [9, 9, 1, 4, 4, "bicubic", [
    104,
    83,
    124,
    102,
    102,
    85,
    148,
    179,
    139,
    133,
    161,
    112,
    150,
    105,
    144,
    68,
  ]],
  [3, 4, 1, 6, 7, "bilinear", "2b1c8dfa8b015b3017472133172cf6550dd785f2c0d0e06d8faa1e65601d50cc"],
  [3, 4, 1, 6, 7, "bicubic", "8105fc9bcd9ffe42898d8e1946d59613f412f2a4befdb6c6493c7d33a2eaa44c"],
  [
    64,
    48,
    3,
    16,
    16,
    "bilinear",
    "a94e181143b3e49deb8c8f54da43d61741f9bc993e89b3f69e2a20fbfd1b172f",
  ],
  [
    64,
    48,
    3,
    16,
    16,
    "bicubic",
    "2eb960570bde6459ef96aecc164e21f6ff5c8ff116925e1878e7aa2e6945030a",
  ],
  [2, 2, 1, 5, 5, "bilinear", [
    3,
    25,
    113,
    200,
    222,
    18,
    38,
    119,
    199,
    220,
    79,
    92,
    145,
    197,
    210,
    140,
    146,
    171,
    195,
    200,
    155,
    159,
    177,
    194,
    198,
  ]],
  [2, 2, 1, 5, 5, "bicubic", [
    0,
    3,
    107,
    209,
    248,
    10,
    26,
    117,
    207,
    241,
    76,
    88,
    145,
    202,
    223,
    141,
    149,
    173,
    196,
    205,
    166,
    172,
    183,
    194,
    198,
  ]],
  [1, 1, 3, 2, 3, "bilinear", [
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
  ]],
  [1, 1, 3, 2, 3, "bicubic", [
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
    159,
    18,
    54,
  ]],
  [
    100,
    75,
    3,
    32,
    32,
    "bilinear",
    "ff51d4a4673ecc95534e0190b7dbf3a09048deda96fb35c66849cd35ccb8fbd1",
  ],
  [
    100,
    75,
    3,
    32,
    32,
    "bicubic",
    "78b7041005c6b3e33e41c0538d459391b2b7604f714c826a9d5969c0797b85fa",
  ],
];

for (const [height, width, channels, toHeight, toWidth, filter, pixels] of PILLOW) {
  const sizes = `${height}x${width}x${channels} to ${toHeight}x${toWidth}`;
  Deno.test(`resample() gives Pillow's pixels, bit for bit: ${filter} from ${sizes}`, () => {
    const out = resample(image(height, width, channels), toHeight, toWidth, filter);
    assertEquals([out.count, out.height, out.width, out.channels], [
      1,
      toHeight,
      toWidth,
      channels,
    ]);
    if (typeof pixels !== "string") assertEquals([...out.images], [...pixels]);
    else assertEquals(createHash("sha256").update(out.images).digest("hex"), pixels);
  });
}

Deno.test("resample() is within rounding of the filter in f64", () => {
  // Two roundings of half a level, the first spread by the vertical filter's negative lobes.
  const budget = 0.5 + 0.5 * 1.25 + 1e-3;
  for (const filter of ["bilinear", "bicubic"] as const) {
    for (const [h, w, toH, toW] of [[7, 5, 3, 9], [5, 7, 5, 2], [20, 3, 6, 3], [4, 4, 9, 11]]) {
      // From the middle of the range, so that no overshoot is clipped.
      const noise = image(h!, w!, 3);
      const source = { ...noise, images: noise.images.map((value) => 80 + value * 0.375) };
      const out = resample(source, toH!, toW!, filter).images;
      const reference = resampleReference(source.images, [h!, w!, 3], [toH!, toW!], filter);
      for (const [i, exact] of reference.entries()) {
        assert(Math.abs(out[i]! - exact) <= budget, `${filter} ${h}x${w}: ${out[i]} ${exact}`);
      }
    }
  }
});

Deno.test("resample() treats the images of a set alike and leaves a size that fits", () => {
  const one = image(6, 6, 3), other = { ...one, images: bytesOf(108, 9) };
  const both = { ...one, count: 2, images: Uint8Array.from([...one.images, ...other.images]) };
  const out = resample(both, 4, 3, "bicubic").images;
  assertEquals(out.subarray(0, 36), resample(one, 4, 3, "bicubic").images);
  assertEquals(out.subarray(36), resample(other, 4, 3, "bicubic").images);
  assert(resample(one, 6, 6, "bilinear").images === one.images);
  const flat = { ...one, images: new Uint8Array(108).fill(200) };
  assert(resample(flat, 5, 17, "bicubic").images.every((value) => value === 200));
});

Deno.test("resample() refuses sizes that are none", () => {
  for (const size of [0, -1, 1.5, NaN]) {
    assertThrows(() => resample(image(2, 2, 1), size, 2, "bilinear"), RangeError, "at least 1");
  }
});

Deno.test("resampleF32() gives what Pillow does of images of mode F, neither rounded nor clipped", () => {
  const images = Uint8Array.from(
    { length: 20 },
    (_, i) => (Math.floor(i / 5) * 37 + (i % 5) * 91 + Math.floor(i / 5) * (i % 5) * 13) % 256,
  );
  const pixels = { images, count: 1, height: 4, width: 5, channels: 1 };
  // Image.fromarray(x, mode="F").resize((w, h), resample=Image.BICUBIC), Pillow 12.3.0.
  assertEquals([...resampleF32(pixels, 2, 3, "bicubic")], [
    ...[64.4868392944336, 153.8721923828125, 105.07832336425781],
    ...[140.46701049804688, 152.6533966064453, 134.30628967285156],
  ]);
  const larger = resampleF32(pixels, 7, 9, "bicubic");
  assertEquals([...larger.subarray(0, 9)], [
    ...[-10.258133888244629, 18.781497955322266, 76.10975646972656, 141.06640625],
    ...[177.00241088867188, 81.25115966796875, 10.71906566619873, 70.39572143554688],
    108.262939453125,
  ]);
  assertEquals([...larger.subarray(54)], [
    ...[103.26976013183594, 154.3909149169922, 240.232666015625, 192.93634033203125],
    ...[119.99759674072266, 196.3043975830078, 247.03126525878906, 165.05255126953125],
    115.88822174072266,
  ]);
  // Channels do not mix.
  const two = Uint8Array.from({ length: 40 }, (_, i) => i % 2 === 0 ? images[i / 2]! : 255);
  const both = resampleF32({ ...pixels, images: two, channels: 2 }, 7, 9, "bicubic");
  assertEquals(both.filter((_, i) => i % 2 === 0), larger);
});
