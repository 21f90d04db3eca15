import { pause } from "../../support/pause.ts";
import { assert } from "./assert.ts";

Deno.test("pause() lets a signal be heard of, however seldom a loop pauses", {
  ignore: Deno.build.os === "windows",
}, async () => {
  let heard = 0;
  const hear = () => void heard++;
  Deno.addSignalListener("SIGUSR2", hear);
  try {
    for (let round = 1; round <= 5; round++) {
      Deno.kill(Deno.pid, "SIGUSR2");
      let pauses = 0;
      while (heard < round && pauses < 100) {
        const end = performance.now() + 60; // a step
        while (performance.now() < end);
        await pause();
        pauses++;
      }
      assert(pauses <= 2, `${pauses} pauses`);
    }
  } finally {
    Deno.removeSignalListener("SIGUSR2", hear);
  }
});
