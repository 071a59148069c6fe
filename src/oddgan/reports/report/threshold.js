"use strict";
// Counts, costs and axis positions for a threshold, independent of the page.

function decode(text, Type) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Type(bytes.buffer);
}

function readScores(table) {
  return {
    ...table,
    thresholds: decode(table.thresholds, Float64Array),
    flagged: decode(table.flagged, Uint32Array),
    anomalous: table.anomalous === null ? null : decode(table.anomalous, Uint32Array),
    heldOut: decode(table.heldOut, Uint32Array),
  };
}

// Index of the last stored threshold at or below this one; -1 if it is below all.
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

// If the page does not contain every score, it uses the stored threshold at or below this one.
function nearestStored(scores, threshold) {
  const step = stepOf(scores, threshold);
  return scores.exact || step < 0 ? threshold : scores.thresholds[step];
}

function countsAt(scores, step) {
  const all = step < 0;
  const anomalous = scores.anomalous === null ? null : all ? scores.nAnomalous : scores.anomalous[step];
  const heldOut = all ? scores.nHeldOut : scores.heldOut[step];
  return {
    flagged: all ? scores.n : scores.flagged[step],
    detected: anomalous,
    promised: (1 + heldOut) / (1 + scores.nHeldOut),
  };
}

function costOf(scores, counts, missed, falseAlarm) {
  return (scores.nAnomalous - counts.detected) * missed + (counts.flagged - counts.detected) * falseAlarm;
}

// The highest of the cheapest thresholds; it flags the fewest samples.
function cheapest(scores, missed, falseAlarm) {
  let best = null;
  for (let step = scores.thresholds.length - 1; step >= 0; step--) {
    const cost = costOf(scores, countsAt(scores, step), missed, falseAlarm);
    if (best === null || cost < best.cost) best = { cost, threshold: scores.thresholds[step] };
  }
  return best.threshold;
}

function positionOf(axis, score) {
  let value = score;
  if (axis.kind === "log") value = Math.log10(Math.max(score, Number.MIN_VALUE));
  if (axis.kind === "arsinh") value = Math.asinh((score - axis.centre) / axis.width);
  return Math.min(1, Math.max(0, (value - axis.low) / (axis.high - axis.low)));
}

function scoreAt(axis, position) {
  const value = axis.low + position * (axis.high - axis.low);
  if (axis.kind === "log") return 10 ** value;
  return axis.kind === "arsinh" ? axis.centre + axis.width * Math.sinh(value) : value;
}

// Formats numbers as oddgan.reports.report.words does.
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
