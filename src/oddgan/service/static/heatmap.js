/** Anomaly maps as overlays of an image. */

import { svg } from "./dom.js";

// From least to most anomalous, with growing opacity; visible on black and on white.
const STOPS = [
  [0, 255, 214, 92, 0],
  [0.3, 255, 196, 64, 70],
  [0.6, 240, 104, 24, 190],
  [1, 200, 12, 46, 255],
];
// One number per colour, because photographs have millions of pixels.
const RAMP = new Uint32Array(
  Uint8ClampedArray.from(Array.from({ length: 256 }, (_, i) => colour(i / 255)).flat()).buffer,
);

function colour(x) {
  const next = STOPS.findIndex((stop) => stop[0] >= x);
  if (next <= 0) return STOPS[0].slice(1);
  const [a, b] = [STOPS[next - 1], STOPS[next]];
  const share = (x - a[0]) / (b[0] - a[0]);
  return a.slice(1).map((low, k) => Math.round(low + share * (b[k + 1] - low)));
}

/** Decode the grey values of a picture. @returns {Promise<{width, height, values}>} */
async function greys(url, limit = Infinity) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const shrink = Math.min(1, limit / Math.max(image.naturalWidth, image.naturalHeight));
  const width = Math.max(1, Math.round(shrink * image.naturalWidth));
  const height = Math.max(1, Math.round(shrink * image.naturalHeight));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  return { canvas, context, pixels, width, height };
}

/**
 * Draw a map in colours.
 * @param {{map: string, max: number}} explanation of an image
 * @param {number} top the value that gets the last colour
 * @param {number} limit pixels of its longer side
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function heat({ map, max }, top, limit = Infinity) {
  const { canvas, context, pixels } = await greys(map, limit);
  const { data } = pixels;
  const scale = top > 0 ? max / top : 0;
  const colours = new Uint32Array(data.buffer);
  for (let i = 0; i < colours.length; i++) {
    colours[i] = RAMP[Math.min(255, Math.round(data[4 * i] * scale))];
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * Draw the outline of a mask, sharp at every size.
 * @returns {Promise<SVGSVGElement>}
 */
export async function outline(mask) {
  const { pixels, width, height } = await greys(mask);
  const on = (x, y) =>
    x >= 0 && y >= 0 && x < width && y < height && pixels.data[4 * (y * width + x)] > 127;
  const path = edges(width, height, on) + edges(height, width, (y, x) => on(x, y), true);
  const line = (name) => svg("path", { d: path, class: name, "vector-effect": "non-scaling-stroke" });
  const box = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "outline" };
  return svg("svg", { ...box, "aria-hidden": "true" }, line("under"), line("over"));
}

// Horizontal edges, each run as one line; vertical ones if turned.
function edges(width, height, on, turned = false) {
  let path = "";
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x < width; x++) {
      const from = x;
      while (x < width && on(x, y) !== on(x, y - 1)) x++;
      if (x > from) path += turned ? `M${y} ${from}V${x}` : `M${from} ${y}H${x}`;
    }
  }
  return path;
}

/**
 * The value from which all maps have the last colour. All but the highest peaks are below it, and it
 * stays near the pixel threshold, so that one extreme peak does not leave the rest without colour.
 */
export function commonTop(samples) {
  const maps = samples.map((sample) => sample.explanation).filter((explanation) => explanation?.max > 0);
  if (!maps.length) return 0;
  const peaks = maps.map(({ max }) => max).sort((a, b) => a - b);
  const top = peaks[Math.ceil(0.98 * (peaks.length - 1))];
  const threshold = maps[0].pixel_threshold;
  return threshold > 0 ? Math.min(Math.max(top, 1.5 * threshold), 3 * threshold) : top;
}
