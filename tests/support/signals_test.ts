import { assertEquals } from "./assert.ts";

const SIGNALS = new URL("../../support/signals.ts", import.meta.url).href;

Deno.test(
  "keepHangupIgnored() keeps SIGHUP ignored after Deno has taken it over",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    const program = `
      const { keepHangupIgnored } = await import(${JSON.stringify(SIGNALS)});
      keepHangupIgnored();
      Deno.addSignalListener("SIGINT", () => {});
      Deno.kill(Deno.pid, "SIGHUP");
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log("alive");`;
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", 'trap "" HUP; exec "$0" eval "$1"', Deno.execPath(), program],
      stderr: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "alive\n");
  },
);
