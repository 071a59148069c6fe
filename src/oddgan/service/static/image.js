/** An image and its anomaly map. */

import { h, short } from "./dom.js";
import { heat, outline } from "./heatmap.js";

const SHARP_BELOW = 160; // smaller images are shown as sharp pixels, not smoothed

export class ImageView {
  #opacity = h("input", {
    id: "opacity",
    type: "range",
    min: 0,
    max: 100,
    value: 75,
    oninput: () => this.#stage?.style.setProperty("--opacity", this.#opacity.value / 100),
  });
  #outline = this.#option("outline", "Outline", true, () => this.#look());
  #own = this.#option("own", "Own scale", false, () => this.#draw());
  #stage = null;
  #sample = null;
  #legend = h("p", { class: "legend" });

  /** Return the image with its map; `top` is the value of the last colour, shared by all maps. */
  show(sample, top) {
    this.#sample = sample;
    this.#top = top;
    const { explanation } = sample;
    const picture = h("img", { src: sample.url, alt: `The image ${sample.name}` });
    this.#stage = h("div", { class: "stage" }, picture);
    this.#fit(picture, this.#stage);
    const figures = h("div", { class: "figures" }, figure(this.#stage, "The image, with what is odd"));
    if (!explanation) {
      return h("div", {}, figures, h("p", { class: "notice" }, "This model does not explain its scores."));
    }
    if (explanation.reconstruction) figures.append(this.#reconstruction(explanation));
    this.#stage.style.setProperty("--opacity", this.#opacity.value / 100);
    this.#look();
    this.#draw();
    const opacity = h("label", { for: "opacity" }, "Map ", this.#opacity);
    const controls = h("div", { class: "controls" }, opacity, this.#outline.label, this.#own.label);
    return h("div", {}, controls, figures, this.#legend);
  }

  #top = 0;

  #reconstruction({ reconstruction }) {
    const picture = h("img", { src: reconstruction, alt: "The nearest normal reconstruction" });
    const stage = h("div", { class: "stage" }, picture);
    this.#fit(picture, stage);
    return figure(stage, "Its nearest normal reconstruction");
  }

  #option(id, words, checked, onchange) {
    const box = h("input", { id, type: "checkbox", checked, onchange });
    return { box, label: h("label", { for: id }, box, ` ${words}`) };
  }

  // The map covers the whole image, even if its shape differs.
  #fit(picture, stage) {
    const shape = ({ naturalWidth: w, naturalHeight: height }) => {
      stage.style.setProperty("--shape", w / height);
      stage.classList.toggle("sharp", Math.max(w, height) < SHARP_BELOW);
    };
    const { height = 1, width = 1 } = this.#sample.explanation ?? {};
    shape({ naturalWidth: width, naturalHeight: height });
    picture.addEventListener("load", () => shape(picture));
    picture.addEventListener("error", () => {
      picture.replaceWith(h("p", { class: "unseen-image" }, "This browser cannot show this kind of file."));
    });
  }

  #look() {
    this.#stage?.classList.toggle("outlined", this.#outline.box.checked);
  }

  async #draw() {
    const [sample, stage] = [this.#sample, this.#stage];
    const { explanation } = sample;
    const top = this.#own.box.checked ? explanation.max : this.#top;
    const drawings = [heat(explanation, top), explanation.mask ? outline(explanation.mask) : null];
    const [map, line] = await Promise.all(drawings);
    if (stage !== this.#stage) return; // another sample was selected in the meantime
    stage.querySelectorAll("canvas, svg").forEach((old) => old.remove());
    map.setAttribute("role", "img");
    map.setAttribute("aria-label", `Anomaly map; its peak is ${short(explanation.max)}`);
    stage.append(map, ...(line ? [line] : []));
    this.#legend.replaceChildren(
      h("span", {}, "0"),
      h("span", { class: "ramp", "aria-hidden": "true" }),
      h("span", {}, `≥ ${short(top)}`),
      h("span", { class: "peak" }, `peak here ${short(explanation.max)}${outlined(explanation)}`),
    );
  }
}

function outlined({ pixel_threshold: threshold }) {
  return threshold == null ? "" : `; outlined above ${short(threshold)}`;
}

function figure(stage, words) {
  return h("figure", {}, stage, h("figcaption", {}, words));
}
