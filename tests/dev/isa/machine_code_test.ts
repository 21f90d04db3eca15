import { hotLoop, type Instruction, parseCode } from "../../../dev/isa/machine_code.ts";
import { assertEquals } from "../../support/assert.ts";

const CODE = `BB0:
	s_mov_b32 s4, 0                                             ; be840380
BB1:
	buffer_load_dwordx4 v[0:3], v4, s[0:3], 0 offen             ; e0381000 80000004
	s_mov_b32 s5, 0                                             ; be850380
BB2:
	v_fmac_f32_e32 v8, v0, v1                                   ; 56100300
	v_fmac_f32_e32 v9, v0, v2                                   ; 56120500
	s_add_u32 s5, s5, 2                                         ; 80058205
	s_cmp_lt_u32 s5, 8                                          ; bf0a8805
	s_cbranch_scc1 BB2                                          ; bf85fffa
BB3:
	v_add_f32_e32 v8, v8, v9
	s_cbranch_vccnz BB1                                         ; bf87fff0
BB4:
	v_mul_f32_e32 v8, 2.0, v8
BB5:
	v_fmac_f32_e32 v8, v0, v1
	s_cbranch_scc0 BB5
	s_endpgm
`;

const isFma = ({ op }: Instruction) => Number(op.startsWith("v_fmac"));

Deno.test("parseCode() nests loops and finds lengths that are constant", () => {
  const { instructions, loops } = parseCode(CODE);
  assertEquals(instructions.length, 14);
  assertEquals(loops.map(({ start, end, trips }) => [start, end, trips]), [
    [1, 10, undefined],
    [11, 13, undefined],
  ]);
  assertEquals(loops[0]!.inner.map(({ start, end, trips }) => [start, end, trips]), [[3, 8, 4]]);
});

Deno.test("hotLoop() takes the loop around one of constant length, with that one repeated", () => {
  const body = hotLoop(parseCode(CODE), isFma);
  assertEquals(body.map(isFma).reduce((a, b) => a + b), 4 * 2);
  assertEquals(body.length, 2 + 4 * 5 + 2);
});

Deno.test("hotLoop() takes all code where there is no loop", () => {
  const straight = "BB0:\n\tv_fmac_f32_e32 v8, v0, v1\n\ts_endpgm\n";
  assertEquals(hotLoop(parseCode(straight), isFma).length, 2);
});
