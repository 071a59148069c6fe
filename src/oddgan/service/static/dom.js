/** Building elements. External data only becomes text or attribute values. */

/**
 * Create an element.
 * @param {string} tag
 * @param {Object} attributes names that start with "on" are listeners; false and null are omitted
 * @param {...(Node|string|number|null)} children
 */
export function h(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** Create an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Count things in words: "1 file", "12 files". */
export function count(n, thing) {
  return `${whole(n)} ${thing}${n === 1 ? "" : "s"}`;
}

/** Format an integer with thin spaces between thousands. */
export function whole(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Format a number to four digits, or any other cell value. */
export function short(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** Format a share as a percentage. */
export function percent(share) {
  return `${Number((100 * share).toPrecision(2))}\u202f%`;
}

let timer = 0;

/** Announce to screen readers; of several announcements in a row only the last is read. */
export function announce(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    document.getElementById("status").textContent = text;
  }, 300);
}
