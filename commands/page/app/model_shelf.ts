/// <reference lib="dom" />
/**
 * The models of the page, each fetched when it is first wanted.
 *
 * @module
 */
import type { Gpu } from "../../../device/gpu.ts";
import { byId, html, setText } from "../../shared/dom.ts";
import type { SiteModel } from "../site.ts";
import type { Tell } from "./desk.ts";
import { fetchFile } from "./fetch_file.ts";
import { LoadedModel } from "./loaded_model.ts";

/** See the module. */
export class ModelShelf {
  readonly #choice = byId<HTMLSelectElement>("model");
  #loaded: LoadedModel | null = null;

  /** @param onChange Told when another model is chosen. */
  constructor(
    private readonly gpu: Gpu,
    private readonly models: readonly SiteModel[],
    onChange: () => void,
  ) {
    this.#choice.append(...models.map(({ name }) => html("option", { value: name }, name)));
    byId("model-field").hidden = models.length < 2;
    const changed = () => {
      setText(byId("model-about"), describe(this.site));
      onChange();
    };
    this.#choice.addEventListener("change", changed);
    setText(byId("model-about"), describe(this.site));
  }

  /** The model that is chosen. */
  get site(): SiteModel {
    return this.models[Math.max(0, this.#choice.selectedIndex)]!;
  }

  /** The chosen model on the GPU. */
  async load(tell: Tell, signal: AbortSignal): Promise<LoadedModel> {
    const { site } = this;
    if (this.#loaded?.site === site) return this.#loaded;
    const bytes = await fetchFile(site.weights, document.baseURI, (at, of) => {
      tell(at / of, `Weights: ${megabytes(at)} of ${megabytes(of)}`);
    }, signal);
    this.#loaded?.destroy();
    this.#loaded = null;
    tell(1, "Compiling kernels");
    return this.#loaded = LoadedModel.create(this.gpu, site, bytes);
  }
}

function describe({ data, size, parameters, step, weights, model }: SiteModel): string {
  const { height, width } = size;
  return `${model.name}, ${parameters.toLocaleString("en")} parameters, ${
    step.toLocaleString("en")
  } steps on ${data} at ${height}x${width}; ${
    megabytes(weights.bytes)
  } as ${weights.dtype.toLowerCase()}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
}
