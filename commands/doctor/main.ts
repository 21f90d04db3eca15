/**
 * `deno task doctor`: what of the project works on this machine, what does not, and what to do about
 * it. The examination is loaded only once it is known that this Deno can load it.
 *
 * @module
 */
import { refusalOfOldDeno } from "./deno_version.ts";

if (import.meta.main) {
  const refusal = refusalOfOldDeno(Deno.version.deno, Deno.args.includes("--json"));
  if (refusal !== null) {
    console.log(refusal);
    Deno.exit(1);
  }
}

const { runDoctor } = await import("./command.ts");

if (import.meta.main) await runDoctor();
