/// <reference lib="dom" />
/**
 * The page: opens the GPU, and gives it to whoever the person asks.
 *
 * @module
 */
import { byId, html, setText } from "../../shared/dom.ts";
import type { Site } from "../site.ts";
import { Desk } from "./desk.ts";
import { FillView } from "./fill_view.ts";
import { ModelShelf } from "./model_shelf.ts";
import { NoGpuError, openPageGpu } from "./open_gpu.ts";
import { SampleView } from "./sample_view.ts";
import { Tabs } from "./tabs.ts";
import { TrainView } from "./train_view.ts";
import { WalkView } from "./walk_view.ts";

async function start(): Promise<void> {
  const site = await readSite();
  document.title = site.title;
  setText(byId("title"), site.title);
  const gpu = await openPageGpu();
  setText(byId("adapter"), gpu.description);
  const desk = new Desk(), views: { reset(): void }[] = [];
  gpu.device.lost.then(({ message }) => desk.complain(`The graphics card was lost: ${message}`));
  const tabs = new Tabs();
  const page: Record<string, unknown> = { site, gpu, desk };
  if (site.models.length > 0) {
    const shelf = new ModelShelf(gpu, site.models, () => {
      for (const view of views) view.reset();
    });
    const sample = new SampleView(shelf, desk);
    const fill = new FillView(shelf, desk), walk = new WalkView(shelf, desk);
    views.push(sample, fill, walk);
    Object.assign(page, { shelf, sample, fill, walk });
    for (const name of ["sample", "fill", "walk"]) tabs.add(name);
  }
  if (site.training) {
    Object.assign(page, { train: new TrainView(gpu, site.training, desk) });
    tabs.add("train");
  }
  tabs.open();
  // For whoever looks behind the page by its console.
  Object.assign(globalThis, { diffract: page });
  document.body.dataset.state = "ready";
}

async function readSite(): Promise<Site> {
  const response = await fetch("site.json");
  if (!response.ok) throw new Error(`Cannot read site.json: the server says ${response.status}`);
  return await response.json();
}

/** Says why the page cannot work, in its place. */
function refuse(error: unknown): void {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const remedies = error instanceof NoGpuError ? error.remedies : [];
  setText(byId("refusal-reason"), message);
  byId("remedies").replaceChildren(...remedies.map((remedy) => html("li", {}, remedy)));
  document.body.dataset.state = "refused";
}

start().catch(refuse);
