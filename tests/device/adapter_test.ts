import { requestDevice } from "../../device/adapter.ts";
import { assertEquals } from "../support/assert.ts";

/** Features that are asked for first. */
async function firstAsked(architecture: string, description: string): Promise<string[]> {
  const asked: string[][] = [];
  const adapter = {
    info: { architecture, description, subgroupMinSize: 4, subgroupMaxSize: 4 },
    limits: {},
    requestDevice: ({ requiredFeatures }: { requiredFeatures: string[] }) => {
      asked.push(requiredFeatures);
      return Promise.resolve({});
    },
  };
  await requestDevice(adapter as unknown as GPUAdapter, []);
  return asked[0]!;
}

Deno.test("requestDevice() leaves out SwiftShader's subgroups, whoever names it", async () => {
  const others = ["timestamp-query", "shader-f16"];
  assertEquals(await firstAsked("swiftshader", ""), others);
  assertEquals(await firstAsked("", "SwiftShader Device (Subzero)"), others);
  assertEquals(await firstAsked("", "llvmpipe"), ["subgroups", ...others]);
});
