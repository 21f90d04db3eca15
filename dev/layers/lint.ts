/**
 * Words that only some rooms may use, as rules of `deno lint`.
 *
 * @module
 */
import { isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isPortable, OUTSIDE, roomOf } from "./rooms.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A file's path in the repository, with slashes. */
function pathOf({ filename }: Deno.lint.RuleContext): string {
  return (isAbsolute(filename) ? relative(ROOT, filename) : filename).replaceAll("\\", "/");
}

/** Calls `found` wherever something is taken out of a global object: `name.x`, `{ x } = name`, types. */
function onUse(
  names: readonly string[],
  found: (name: string, property: string | undefined, node: Deno.lint.Node) => void,
): Deno.lint.LintVisitor {
  const look = (object: Deno.lint.Node | null, property?: Deno.lint.Node) => {
    if (object?.type !== "Identifier" || !names.includes(object.name)) return;
    found(object.name, property?.type === "Identifier" ? property.name : undefined, object);
  };
  return {
    MemberExpression: ({ object, property }) => look(object, property),
    TSQualifiedName: ({ left, right }) => look(left, right),
    VariableDeclarator: ({ init }) => look(init),
  };
}

const MAKERS = ["createBuffer", "createComputePipeline", "createComputePipelineAsync"];

const plugin: Deno.lint.Plugin = {
  name: "diffract",
  rules: {
    "gpu-in-device": {
      create(context) {
        const room = roomOf(pathOf(context));
        if (room === "device" || OUTSIDE.has(room)) return {};
        const report = (node: Deno.lint.Node) =>
          context.report({
            node,
            message: "only device may ask for GPUs, make buffers or pipelines",
          });
        const used = onUse(["navigator"], (_name, property, node) => {
          // `navigator` with another property than gpu is no business of device.
          if (property === undefined || property === "gpu") report(node);
        });
        return {
          ...used,
          CallExpression({ callee }) {
            if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return;
            if (MAKERS.includes(callee.property.name)) report(callee.property);
          },
        };
      },
    },
    "no-host": {
      create(context) {
        const path = pathOf(context);
        if (!isPortable(path)) return {};
        return onUse(["Deno", "console"], (name, _property, node) => {
          const message =
            `${name} is not for ${path}: it must run in a web page, pass what it needs as an argument`;
          context.report({ node, message });
        });
      },
    },
    "readable-import": {
      create(context) {
        if (OUTSIDE.has(roomOf(pathOf(context)))) return {};
        return {
          ImportExpression({ source }) {
            if (source.type === "Literal") return;
            const message = "a dynamic import must name its module in a plain string";
            context.report({ node: source, message });
          },
        };
      },
    },
  },
};
export default plugin;
