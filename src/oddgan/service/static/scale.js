/** One axis for scores of any spread: nearly linear among most of them, logarithmic in the tails. */

/**
 * Create an axis for scores.
 * @param {number[]} falling scores, highest first
 * @param {number[]} others other values that the axis must contain, for example the model's threshold
 * @returns {{at: (v: number) => number, value: (x: number) => number}} between value and position;
 *   all scores are strictly between the positions 0 and 1
 */
export function axis(falling, others = []) {
  const quantile = (share) => falling[Math.round((1 - share) * (falling.length - 1))];
  const middle = quantile(0.5);
  const spread = (quantile(0.9) - quantile(0.1)) / 2 || Math.abs(middle) / 10 || 1;
  const warp = (value) => Math.asinh((value - middle) / spread);
  const low = warp(Math.min(falling.at(-1), ...others));
  const high = warp(Math.max(falling[0], ...others));
  const edge = 0.03 * (high - low || 1);
  const length = high - low + 2 * edge;
  return {
    at: (value) => (warp(value) - low + edge) / length,
    value: (place) => middle + spread * Math.sinh(low - edge + place * length),
  };
}

/** Count how many of the scores, highest first, lie above a threshold. */
export function above(falling, threshold) {
  let [from, to] = [0, falling.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (falling[middle] > threshold) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Count scores in bins of the axis. */
export function bins(falling, { at }, n) {
  const counts = new Array(n).fill(0);
  for (const score of falling) counts[Math.min(n - 1, Math.floor(at(score) * n))]++;
  return counts;
}
