import { assert } from "./assert.ts";

const PAUSE = new URL("../../support/pause.ts", import.meta.url).href;

/** Steps of 60 ms with a pause each, of which some are sent a signal; pauses until each was heard. */
const PROGRAM = `
import { pause } from ${JSON.stringify(PAUSE)};
let heard = 0;
Deno.addSignalListener("SIGUSR2", () => heard++);
await new Promise((resolve) => setTimeout(resolve, 100));
const found = [];
for (let round = 1; round <= 5; round++) {
  Deno.kill(Deno.pid, "SIGUSR2");
  let pauses = 0;
  while (heard < round && pauses < 100) {
    const end = performance.now() + 60;
    while (performance.now() < end);
    await pause();
    pauses++;
  }
  found.push(pauses);
}
console.log(Math.max(...found));
Deno.exit(0);
`;

Deno.test("pause() lets a signal be heard of, however seldom a loop pauses", {
  ignore: Deno.build.os === "windows",
}, async () => {
  // In a process of its own: the tests' own one has more turns than a program.
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", PROGRAM] });
  const { stdout } = await child.output();
  const most = Number(new TextDecoder().decode(stdout));
  assert(most >= 1 && most <= 2, `${most} pauses`);
});
