import { CHIPS, occupancy } from "../../../dev/isa/chips.ts";
import { countLoop } from "../../../dev/isa/loop_counts.ts";
import { parseCode } from "../../../dev/isa/machine_code.ts";
import { assertAlmostEquals, assertEquals } from "../../support/assert.ts";

const body = (lines: readonly string[]) => parseCode(lines.join("\n")).instructions;

Deno.test("countLoop() bounds RDNA2 by vector instructions, slow ones four times", () => {
  const counts = countLoop(
    body([
      ...Array(8).fill("v_fmac_f32_e32 v0, v1, v2"),
      "v_add_nc_u32_e32 v0, v1, v2",
      "v_mul_lo_u32 v0, v1, v2",
      "s_barrier",
    ]),
    64,
    CHIPS.navi21,
  );
  assertEquals([counts.multiplyAdds, counts.otherVector, counts.barriers], [8, 2, 1]);
  assertAlmostEquals(counts.bound, 8 / (8 + 1 + 4), 1e-12);
});

Deno.test("countLoop() gives RDNA3 two multiply-adds at once, in either size of waves", () => {
  const pair = "v_dual_fmac_f32 v0, v1, v2 :: v_dual_fmac_f32 v3, v4, v5";
  const half = "v_dual_fmac_f32 v0, v1, v2 :: v_dual_mov_b32 v3, v4";
  const narrow = countLoop(body([pair, pair, half]), 32, CHIPS.navi31);
  assertEquals([narrow.multiplyAdds, narrow.otherVector], [5, 1]);
  assertAlmostEquals(narrow.bound, 2.5 / 3, 1e-12);
  const wide = countLoop(
    body([...Array(6).fill("v_fmac_f32_e32 v0, v1, v2"), "v_mov_b32_e32 v0, v1"]),
    64,
    CHIPS.navi31,
  );
  assertAlmostEquals(wide.bound, 6 / (6 + 2), 1e-12);
});

Deno.test("countLoop() counts products of halves: packed ones twice, mixed ones once", () => {
  const lines = [
    "v_pk_fma_f16 v0, v1, v2, v3",
    "v_dot2_f32_f16 v0, v1, v2, v3",
    "v_fma_mix_f32 v0, v1, v2, v3",
    "v_fmac_f32_e32 v0, v1, v2",
    "v_cvt_f32_f16_e32 v0, v1",
  ];
  const counts = countLoop(body(lines), 64, CHIPS.navi21);
  assertEquals(
    [counts.multiplyAdds, counts.halfMultiplyAdds, counts.otherVector],
    [6, 5, 1],
  );
  // Five instructions, in the time of which f32 would have made five.
  assertAlmostEquals(counts.bound, 6 / 5, 1e-12);
});

Deno.test("countLoop() bounds by workgroup memory, under the names of both generations", () => {
  const fma = Array(8).fill("v_fmac_f32_e32 v0, v1, v2");
  for (const read of ["ds_read_b128 v[0:3], v4", "ds_load_b128 v[0:3], v4"]) {
    const counts = countLoop(body([...fma, read, "ds_write2_b64 v0, v[2:3], v[4:5]"]), 64, {
      ...CHIPS.navi21,
    });
    assertEquals([counts.ldsReads, counts.ldsWrites], [{ "128": 1 }, { "2x64": 1 }]);
    // 32 bytes of each of 64 lanes, 128 a cycle for two SIMDs, against 8 x 2 cycles.
    assertAlmostEquals(counts.ldsShare, 32 / 16, 1e-12);
    assertAlmostEquals(counts.bound, 1 / 2, 1e-12);
  }
});

Deno.test("countLoop() tells how far loads are ahead of what waits for them", () => {
  const load = "buffer_load_dwordx4 v[0:3], v4, s[0:3], 0 offen";
  const fma = "v_fmac_f32_e32 v0, v1, v2";
  const ahead = (lines: string[]) => countLoop(body(lines), 64, CHIPS.navi21).ahead;
  assertEquals(ahead([fma]), null);
  assertEquals(ahead([load, "s_waitcnt vmcnt(0)", fma]), 0);
  assertEquals(ahead(["s_waitcnt vmcnt(0)", load, fma, fma]), 2, "round the loop");
  assertEquals(ahead([load, load, fma, "s_waitcnt vmcnt(1)", fma, "s_waitcnt vmcnt(0)"]), 1);
});

Deno.test("occupancy() is limited by registers, by workgroup memory and by whole workgroups", () => {
  const footprint = { wave: 64, invocations: 256, vgprs: 128, lds: 8192 };
  assertEquals(occupancy(CHIPS.navi21, footprint), 4);
  assertEquals(occupancy(CHIPS.navi31, footprint), 6);
  assertEquals(occupancy(CHIPS.navi21, { ...footprint, vgprs: 144 }), 3);
  assertEquals(occupancy(CHIPS.navi21, { ...footprint, lds: 64 << 10 }), 2);
  assertEquals(occupancy(CHIPS.navi21, { ...footprint, vgprs: 8, lds: 0 }), 16);
});
