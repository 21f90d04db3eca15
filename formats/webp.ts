/**
 * Decodes WebP pictures: the wrapper of libwebp as WebAssembly (@jsquash/webp), whose pixels are those of
 * dwebp and Pillow, bit for bit. Container: RFC 9649.
 *
 * @module
 */
import makeDecoder from "@jsquash/webp/codec/dec/webp_dec.js";
import { fileURLToPath } from "node:url";
import { MAX_PIXELS, type Picture } from "./picture.ts";

/** What of libwebp is used; null for bytes that it cannot decode. */
interface Decoder {
  decode(bytes: Uint8Array): { width: number; height: number; data: Uint8ClampedArray } | null;
}

let decoder: Decoder | undefined;

/** Pixels that any file may have, and those that each of its bytes lets it have beyond. */
const FREE_PIXELS = 1 << 22, PIXELS_A_BYTE = 1 << 14;
/** libwebp's memory never shrinks: after a picture of more pixels it is made anew. */
const KEPT_PIXELS = 1 << 22;

/** Made at once, not awaited: a picture is decoded when its bytes are at hand. */
function loadDecoder(): Decoder {
  const path = fileURLToPath(import.meta.resolve("@jsquash/webp/codec/dec/webp_dec.wasm"));
  const wasm = new WebAssembly.Module(Deno.readFileSync(path));
  const module = {
    noInitialRun: true,
    instantiateWasm: (
      imports: WebAssembly.Imports,
      done: (instance: WebAssembly.Instance) => void,
    ) => {
      const instance = new WebAssembly.Instance(wasm, imports);
      done(instance);
      return instance.exports;
    },
  };
  void (makeDecoder as unknown as (module: unknown) => unknown)(module);
  return module as unknown as Decoder;
}

/** Whether bytes begin as a WebP picture does. */
export function isWebp(bytes: Uint8Array): boolean {
  return bytes.length >= 16 && tag(bytes, 0) === "RIFF" && tag(bytes, 8) === "WEBP";
}

/**
 * Decodes a picture to RGBA, `[height, width, 4]`.
 *
 * @throws {SyntaxError} When the bytes are damaged or cut short.
 * @throws {TypeError} When it is animated.
 * @throws {RangeError} When it has more than {@linkcode MAX_PIXELS} pixels, or far more than bytes.
 */
export function decodeWebp(bytes: Uint8Array): Picture {
  // libwebp makes room for what the header says.
  const { width, height } = sizeOf(bytes);
  const most = Math.min(MAX_PIXELS, Math.max(FREE_PIXELS, PIXELS_A_BYTE * bytes.length));
  if (width * height > most) {
    throw new RangeError(
      `Cannot decode WebP: of ${bytes.length} bytes it must have at most ${most} pixels, got ` +
        `${width}x${height}`,
    );
  }
  const image = decodeWhole(bytes);
  if (width * height > KEPT_PIXELS) decoder = undefined;
  if (image?.width !== width || image.height !== height) {
    throw new SyntaxError(
      "Cannot decode WebP: its picture must be whole, it is damaged or cut short",
    );
  }
  const { buffer, byteOffset, byteLength } = image.data;
  return { width, height, channels: 4, data: new Uint8Array(buffer, byteOffset, byteLength) };
}

function decodeWhole(bytes: Uint8Array): ReturnType<Decoder["decode"]> {
  try {
    return (decoder ??= loadDecoder()).decode(bytes);
  } catch (cause) {
    // Its memory may be in any state.
    decoder = undefined;
    throw new SyntaxError(`Cannot decode WebP: its picture must be whole, ${cause}`, { cause });
  }
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/** What the first chunk says: a picture with losses, one without, or one of more chunks. */
function sizeOf(bytes: Uint8Array): { width: number; height: number } {
  const kind = isWebp(bytes) ? tag(bytes, 12) : "";
  const whole = (at: number, count: number) =>
    bytes.subarray(at, at + count).reduce((sum, byte, i) => sum + byte * 256 ** i, 0);
  if (bytes.length >= 30) {
    if (kind === "VP8 " && whole(23, 3) === 0x2a019d) {
      return { width: whole(26, 2) & 0x3fff, height: whole(28, 2) & 0x3fff };
    }
    if (kind === "VP8X") {
      if ((bytes[20]! & 2) !== 0) {
        throw new TypeError("Cannot decode WebP: it must be one picture, it is animated");
      }
      return { width: whole(24, 3) + 1, height: whole(27, 3) + 1 };
    }
  }
  if (kind === "VP8L" && bytes.length >= 25 && bytes[20] === 0x2f) {
    const bits = whole(21, 4);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  throw new SyntaxError("Cannot decode WebP: its first chunk must tell its size, it does not");
}
