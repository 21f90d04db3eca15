import { join } from "node:path";
import { makeHandler } from "../../../commands/dashboard/handler.ts";
import { RunWatch } from "../../../commands/dashboard/watch.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";
import { WrittenRun } from "./written_run.ts";

type Ask = (path: string, init?: RequestInit & { host?: string }) => Promise<Response>;

/** A handler that has found the runs in a folder. */
async function handlerOf(
  folder: string,
  hosts: readonly string[] | null = [],
): Promise<{ ask: Ask; id: string }> {
  const watch = new RunWatch([folder], {
    complain: (error) => {
      throw error;
    },
  });
  await watch.look();
  const handler = makeHandler(watch, hosts);
  const ask: Ask = (path, { host = "127.0.0.1:6060", ...init } = {}) =>
    handler(new Request(`http://${host}${path}`, init));
  const events = await ask("/events");
  await watch.look();
  const { value = "" } = await events.body!.pipeThrough(new TextDecoderStream()).getReader().read();
  await watch.close();
  return { ask, id: JSON.parse(value.slice("data: ".length)).runs[0].id };
}

Deno.test("makeHandler() serves the page, and every module that one of them names", () =>
  inFolder(async (folder) => {
    await WrittenRun.create(join(folder, "a"));
    const { ask: askRoot } = await handlerOf(folder);
    // A proxy serves the page below a path of its own, which the page must not know.
    const below = "/user/proxy/6060";
    const ask: Ask = (path, init) => {
      assert(path.startsWith(`${below}/`), `${path} leaves the folder that the page lies in`);
      return askRoot(path.slice(below.length), init);
    };
    const resolve = (url: string, from: string) => new URL(url, `http://x${from}`).pathname;
    const page = await (await ask(`${below}/`)).text();
    const pending = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) =>
      resolve(match[1]!, `${below}/`)
    );
    assert(pending.length >= 4, `the page names ${pending}`);
    const seen = new Set(pending);
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const response = await ask(path);
      assertEquals(response.status, 200, path);
      if (!path.endsWith(".ts")) {
        await response.body?.cancel();
        continue;
      }
      assertStringIncludes(response.headers.get("content-type")!, "text/javascript");
      const code = await response.text();
      for (const [, specifier] of code.matchAll(/^(?:import|export)\b[^;]*?from\s+"([^"]+)"/gms)) {
        const next = resolve(specifier!, path);
        if (!seen.has(next)) pending.push(next);
        seen.add(next);
      }
    }
    assert(seen.size > 15, [...seen].join(" "));
    const sheet = `${below}/style/base.css`;
    const css = await (await ask(sheet)).text();
    for (const [, path] of css.matchAll(/url\("([^"]+)"\)/g)) {
      const response = await ask(resolve(path!, sheet));
      assertEquals([response.status, response.headers.get("content-type")], [200, "font/woff2"]);
      await response.body?.cancel();
    }
  }));

Deno.test("makeHandler() puts a strict policy on everything, refusals too", () =>
  inFolder(async (folder) => {
    await WrittenRun.create(join(folder, "a"));
    const { ask } = await handlerOf(folder);
    for (
      const path of [
        "/",
        "/style/base.css",
        "/commands/dashboard/page/main.ts",
        "/nothing",
        "/face/400",
      ]
    ) {
      const { headers, body } = await ask(path);
      const policy = headers.get("content-security-policy") ?? "";
      assertStringIncludes(policy, "default-src 'none'");
      assertStringIncludes(policy, "script-src 'self';");
      assert(!/unsafe|https?:|\*|data:/.test(policy), policy);
      assertEquals(headers.get("x-content-type-options"), "nosniff");
      await body?.cancel();
    }
    const page = await (await ask("/")).text();
    assert(
      !/<script(?![^>]*\bsrc=)|\bon\w+=|style=|<style/.test(page),
      "nothing stands in the page",
    );
  }));

Deno.test("makeHandler() serves pictures of runs and no other file", () =>
  inFolder(async (root) => {
    const folder = await Deno.realPath(root);
    const run = await WrittenRun.create(join(folder, "runs", "a"));
    await run.writeSample(20, 7);
    const samples = join(run.dir, "samples");
    await Deno.writeTextFile(join(folder, "secret.png"), "secret");
    await Deno.writeTextFile(join(run.dir, "step-1.png"), "outside");
    await Deno.writeTextFile(join(samples, "notes.txt"), "notes");
    await Deno.writeTextFile(join(samples, "other.png"), "other");
    await Deno.symlink(join(folder, "secret.png"), join(samples, "step-000666.png"));
    await Deno.symlink(join(run.dir, "step-1.png"), join(samples, "step-000667.png"));
    const { ask, id } = await handlerOf(join(folder, "runs"));

    const good = await ask(`/samples/${id}/step-000020.png?any`);
    assertEquals([good.status, good.headers.get("content-type")], [200, "image/png"]);
    assertEquals(
      new Uint8Array(await good.arrayBuffer()),
      await Deno.readFile(join(samples, "step-000020.png")),
    );
    const refused = [
      ...["notes.txt", "other.png", "step-000666.png", "step-000667.png", "step-000021.png"],
      ...["../config.json", "..%2fconfig.json", "%2e%2e/config.json", "..%5cconfig.json"],
      ...["step-1.png/../../log.jsonl", "../step-1.png", "step-000020.png%00.png", "", "."],
      "....//config.json",
    ].map((name) => `/samples/${id}/${name}`);
    for (
      const path of [
        ...refused,
        "/samples/../../../../etc/passwd",
        "/samples/000000000000/step-000020.png",
        `/samples/${id}`,
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/commands/dashboard/main.ts",
        "/commands/dashboard/handler.ts",
        "/commands/../deno.json",
        "/commands/dashboard/page/../handler.ts",
        "/commands/dashboard/page/%2e%2e/handler.ts",
        "/face/../../x",
        "/face/700",
        "/dashboard/page/index.html",
        `/${run.dir}/config.json`,
      ]
    ) {
      const response = await ask(path);
      assertEquals(
        [response.status, await response.text()],
        [404, "There is nothing here\n"],
        path,
      );
    }
  }));

Deno.test("makeHandler() answers this machine alone, and only questions", () =>
  inFolder(async (folder) => {
    await WrittenRun.create(join(folder, "a"));
    const { ask } = await handlerOf(folder);
    const statusOf = async (path: string, init?: Parameters<Ask>[1]) => {
      const response = await ask(path, init);
      await response.body?.cancel();
      return response.status;
    };
    for (const host of ["localhost:1", "127.0.0.1", "127.1.2.3:99", "[::1]:6060"]) {
      assertEquals(await statusOf("/", { host }), 200, host);
    }
    for (
      const host of ["evil.example:6060", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil"]
    ) {
      assertEquals(await statusOf("/events", { host }), 403, host);
    }
    assertEquals(await statusOf("/", { headers: { "sec-fetch-site": "cross-site" } }), 403);
    for (const method of ["POST", "PUT", "DELETE"]) {
      assertEquals(await statusOf("/", { method }), 405, method);
    }
    const head = await ask("/", { method: "HEAD" });
    assertEquals([head.status, await head.text()], [200, ""]);
    const proxied = await handlerOf(folder, ["hub.example.org"]);
    for (const [host, status] of [["hub.example.org:8000", 200], ["hub.example", 403]] as const) {
      const response = await proxied.ask("/", { host });
      await response.body?.cancel();
      assertEquals(response.status, status, host);
    }
    const open = await handlerOf(folder, null);
    const response = await open.ask("/", { host: "10.0.0.1" });
    await response.body?.cancel();
    assertEquals(response.status, 200);
  }));
