import { encodePng } from "../../formats/png.ts";
import { ProtobufWriter } from "../../formats/protobuf_writer.ts";
import { encodeEvent, eventFileHeader } from "../../formats/tfevents.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { readEventFile } from "../support/event_file_reader.ts";

Deno.test("eventFileHeader() is the record that says what the file is", () => {
  const [event] = readEventFile(eventFileHeader(1.5));
  assertEquals(event, { wall_time: 1.5, step: 0, file_version: "brain.Event:2" });
});

Deno.test("encodeEvent() writes scalars that a reader gets back, of any sign and size", () => {
  const scalars = [0, -1.25, 1e-30, 3.5e30, -0.000123, Infinity, NaN];
  const steps = [0, 1, 127, 128, 300, 2 ** 31, 2 ** 32 + 7, Number.MAX_SAFE_INTEGER];
  for (const step of steps) {
    const values = scalars.map((scalar, i) => ({ tag: `group/${i}`, scalar }));
    const [event, ...others] = readEventFile(encodeEvent({ wallTime: 1.7e9 + 0.25, step, values }));
    assertEquals([event!.step, event!.wall_time, others.length], [step, 1.7e9 + 0.25, 0]);
    const found = event!.summary!.value;
    assertEquals(found.map(({ tag }) => tag), values.map(({ tag }) => tag));
    assertEquals(found.map((value) => value.simple_value), scalars.map(Math.fround));
  }
});

Deno.test("encodeEvent() writes images with their sizes, and the PNG byte for byte", () => {
  const data = Uint8Array.from({ length: 300 * 200 * 3 }, (_, i) => (i * 7919) % 251);
  const png = encodePng({ width: 300, height: 200, channels: 3, data });
  const values = [{ tag: "samples", image: { png, width: 300, height: 200, channels: 3 } }];
  const [event] = readEventFile(encodeEvent({ wallTime: 1, step: 5, values }));
  const { encoded_image_string: bytes, ...size } = event!.summary!.value[0]!.image!;
  assertEquals(size, { height: 200, width: 300, colorspace: 3 });
  assertEquals(Uint8Array.from(bytes), png);
});

Deno.test("encodeEvent() writes a text as a tensor of one string for the text plug-in", () => {
  const text = "# Größe\n`η = 1` 你好";
  const values = [{ tag: "config", text }];
  const [event] = readEventFile(encodeEvent({ wallTime: 1, step: 0, values }));
  const { tensor, metadata } = event!.summary!.value[0]!;
  assertEquals([tensor!.dtype, tensor!.tensor_shape.dim], ["DT_STRING", [{ size: 1 }]]);
  assertEquals(new TextDecoder().decode(tensor!.string_val[0]), text);
  assertEquals(metadata!.plugin_data.plugin_name, "text");
});

Deno.test("encodeEvent() says where a run goes on", () => {
  const [event] = readEventFile(encodeEvent({ wallTime: 2, step: 101, sessionStart: true }));
  assertEquals(event!.step, 101);
  assertEquals(event!.session_log!.status, "START");
});

Deno.test("ProtobufWriter refuses numbers that a varint would not give back", () => {
  for (const value of [-1, 0.5, 2 ** 53, NaN]) {
    assertThrows(() => new ProtobufWriter().whole(3, value), RangeError, "whole number");
  }
});
