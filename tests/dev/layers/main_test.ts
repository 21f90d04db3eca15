import { join } from "node:path";
import { assertEquals } from "../../support/assert.ts";
import { ROOT } from "../../support/runs.ts";

Deno.test("deno task layers finds nothing to refuse in the project", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(ROOT, "dev/layers/main.ts")],
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});
