"use strict";
// What a threshold would flag: the arithmetic of the page, without the page.

function unpacked(text, Type) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Type(bytes.buffer);
}

function readScores(held) {
  return {
    ...held,
    thresholds: unpacked(held.thresholds, Float64Array),
    flagged: unpacked(held.flagged, Uint32Array),
    anomalous: held.anomalous === null ? null : unpacked(held.anomalous, Uint32Array),
    heldOut: unpacked(held.heldOut, Uint32Array),
  };
}

// The last step at or below a threshold; -1 below them all.
function stepOf(scores, threshold) {
  let low = -1;
  let high = scores.thresholds.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (scores.thresholds[middle] <= threshold) low = middle;
    else high = middle;
  }
  return low;
}

// Where the page does not hold every score, it moves from one threshold that it holds to the next.
function settled(scores, threshold) {
  const step = stepOf(scores, threshold);
  return scores.exact || step < 0 ? threshold : scores.thresholds[step];
}

function counted(scores, step) {
  const all = step < 0;
  const anomalous = scores.anomalous === null ? null : all ? scores.nAnomalous : scores.anomalous[step];
  const heldOut = all ? scores.nHeldOut : scores.heldOut[step];
  return {
    flagged: all ? scores.n : scores.flagged[step],
    found: anomalous,
    promised: (1 + heldOut) / (1 + scores.nHeldOut),
  };
}

function costOf(scores, counts, missed, falseAlarm) {
  return (scores.nAnomalous - counts.found) * missed + (counts.flagged - counts.found) * falseAlarm;
}

// The highest of the cheapest thresholds, which flags the fewest samples.
function cheapest(scores, missed, falseAlarm) {
  let best = null;
  for (let step = scores.thresholds.length - 1; step >= 0; step--) {
    const cost = costOf(scores, counted(scores, step), missed, falseAlarm);
    if (best === null || cost < best.cost) best = { cost, threshold: scores.thresholds[step] };
  }
  return best.threshold;
}

function positionOf(axis, score) {
  let along = score;
  if (axis.kind === "log") along = Math.log10(Math.max(score, Number.MIN_VALUE));
  if (axis.kind === "arsinh") along = Math.asinh((score - axis.centre) / axis.width);
  return Math.min(1, Math.max(0, (along - axis.low) / (axis.high - axis.low)));
}

function scoreAt(axis, position) {
  const along = axis.low + position * (axis.high - axis.low);
  if (axis.kind === "log") return 10 ** along;
  return axis.kind === "arsinh" ? axis.centre + axis.width * Math.sinh(along) : along;
}

// As oddgan.reports.report.words writes numbers.
function figure(value, digits = 4) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2).replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

function percent(share) {
  let text = "100";
  for (let digits = 3; digits < 12 && text === "100"; digits++) text = figure(100 * share, digits);
  return `${text} %`;
}

function amount(value) {
  const rounded = Number(value.toPrecision(6));
  return rounded.toLocaleString("en-US", { maximumFractionDigits: 6 });
}

const count = (n) => n.toLocaleString("en-US");
