import { looksLikeMsgpack, readMsgpack } from "../../formats/msgpack.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const read = (...bytes: number[]) => readMsgpack(Uint8Array.from(bytes));

Deno.test("readMsgpack() reads every kind of value, as its specification writes them", () => {
  assertEquals(read(0x93, 0x07, 0xff, 0xe0), [7, -1, -32]);
  assertEquals(read(0x94, 0xc0, 0xc2, 0xc3, 0xa2, 0x68, 0x69), [null, false, true, "hi"]);
  assertEquals(read(0x93, 0xcd, 1, 0, 0xd1, 0xff, 0, 0xd0, 0x80), [256, -256, -128]);
  assertEquals(read(0x92, 0xce, 0, 1, 0, 0, 0xd2, 255, 255, 255, 254), [65536, -2]);
  assertEquals(read(0xcf, 0, 0, 0, 1, 0, 0, 0, 0), 1n << 32n);
  assertEquals(read(0xd3, ...Array(8).fill(255)), -1n);
  assertEquals(read(0x92, 0xca, 0x3f, 0xc0, 0, 0, 0xcb, 0xbf, 0xe0, 0, 0, 0, 0, 0, 0), [1.5, -0.5]);
  assertEquals(read(0xdc, 0, 1, 0xc4, 2, 8, 9), [Uint8Array.of(8, 9)]);
  assertEquals(read(0xdd, 0, 0, 0, 1, 0xd9, 1, 0x61), ["a"]);
  assertEquals(read(0x81, 0xa1, 0x61, 0x80), new Map([["a", new Map()]]));
  assertEquals(read(0xde, 0, 1, 5, 1), new Map([["5", 1]]));
  assertEquals(read(0xc7, 1, 3, 7), { type: 3, data: Uint8Array.of(7) });
  assertEquals(read(0xd5, 0xff, 7, 8), { type: -1, data: Uint8Array.of(7, 8) });
});

Deno.test("readMsgpack() refuses what is cut short, too long, too deep or no value", () => {
  const refuses = (bytes: number[], reason: string) =>
    assertThrows(() => read(...bytes), SyntaxError, reason);
  refuses([], "it must not be cut short: 1 bytes are wanted at 0");
  refuses([0xcd, 1], "2 bytes are wanted at 1");
  refuses([0xdd, 255, 255, 255, 255], "4294967295 values must fit in the 0 bytes that are left");
  refuses([0xdf, 0, 0, 0, 2, 0, 0, 0], "4 values must fit");
  refuses([0xc6, 255, 255, 255, 255], "4294967295 bytes are wanted");
  refuses([1, 2], "1 bytes follow");
  refuses([0xc1], "byte 0 must begin a value, got 0xc1");
  refuses([0xa1, 0xff], "its texts must be UTF-8");
  refuses([0x82, 1, 1, 1, 2], "each there once");
  refuses([0x81, 0x90, 1], "a map's keys must be texts");
  refuses([...Array(70).fill(0x91), 1], "at most 64 levels deep");
});

Deno.test("looksLikeMsgpack() tells a map from the length that safetensors begins with", () => {
  const step = [0x85, 0xa4, 0x73, 0x74, 0x65, 0x70, 0, 0, 0];
  assertEquals(looksLikeMsgpack(Uint8Array.from(step)), true);
  assertEquals(looksLikeMsgpack(Uint8Array.of(0x85, 0xa4, 0, 0, 0, 0, 0, 0, 0x7b)), false);
  assertEquals(looksLikeMsgpack(Uint8Array.of()), false);
});
