import { crc32c } from "../../formats/crc32c.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("crc32c() gives the values of RFC 3720, appendix B.4", () => {
  const cases: [bytes: Uint8Array, crc: number][] = [
    [new TextEncoder().encode("123456789"), 0xe3069283],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(255), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [new Uint8Array(), 0],
  ];
  for (const [bytes, crc] of cases) assertEquals(crc32c(bytes), crc);
});
