"use strict";
// Updates the page when the threshold or the costs change.

(() => {
  const byId = (id) => document.getElementById(id);
  const scores = readScores(JSON.parse(byId("scores").textContent));
  const [slider, number] = [byId("slider"), byId("number")];
  const [missed, falseAlarm] = [byId("cost-missed"), byId("cost-false")];
  const labelled = scores.anomalous !== null && scores.nAnomalous > 0;
  let threshold = scores.threshold;
  let timer = 0;

  function write(id, text) {
    const element = byId(id);
    if (element && element.textContent !== text) element.textContent = text;
  }

  function show() {
    const counts = countsAt(scores, stepOf(scores, threshold));
    const position = positionOf(scores.axis, threshold);
    byId("marker").style.left = `${100 * position}%`;
    byId("above").style.left = `${100 * position}%`;
    slider.value = Math.round(position * Number(slider.max));
    const share = percent(counts.flagged / scores.n);
    slider.setAttribute("aria-valuetext", `threshold ${figure(threshold)}, ${share} flagged`);
    if (document.activeElement !== number) number.value = threshold;
    write("at", figure(threshold));
    write("flagged", count(counts.flagged));
    write("flagged-share", share);
    write("promised", percent(counts.promised));
    let summary = `${count(counts.flagged)} of ${count(scores.n)} samples flagged (${share})`;
    if (labelled) summary += showLabelled(counts);
    showDecisions();
    clearTimeout(timer);
    timer = setTimeout(() => write("summary", `Threshold ${figure(threshold)}: ${summary}.`), 400);
  }

  function showLabelled(counts) {
    const [n, detected] = [scores.nAnomalous, counts.detected];
    const alarms = counts.flagged - detected;
    const recall = percent(detected / n);
    const precision = counts.flagged ? percent(detected / counts.flagged) : "none flagged";
    write("detected", count(detected));
    write("recall", recall);
    write("precision", precision);
    write("alarms", count(alarms));
    write("alarm-rate", scores.n > n ? percent(alarms / (scores.n - n)) : "no normal samples");
    const costs = [missed, falseAlarm].map((input) => input.valueAsNumber);
    const valid = costs.every((cost) => Number.isFinite(cost) && cost >= 0);
    const cost = valid ? amount(costOf(scores, counts, ...costs)) : "enter both costs";
    write("cost", cost);
    if (valid) write("costs", `${amount(costs[0])} a miss, ${amount(costs[1])} a false alarm`);
    byId("least").disabled = !valid;
    return `, precision ${precision}, recall ${recall}, cost ${cost}`;
  }

  function showDecisions() {
    for (const sample of document.querySelectorAll("[data-score]")) {
      const flagged = Number(sample.dataset.score) > threshold;
      sample.classList.toggle("flagged", flagged);
      const badge = sample.querySelector(".badge");
      const text = flagged ? "flagged" : "not flagged";
      if (badge.textContent !== text) badge.textContent = text;
    }
  }

  function move(target) {
    threshold = nearestStored(scores, target);
    show();
  }

  slider.addEventListener("input", () => move(scoreAt(scores.axis, slider.value / slider.max)));
  number.addEventListener("input", () => {
    if (Number.isFinite(number.valueAsNumber)) move(number.valueAsNumber);
  });
  number.addEventListener("blur", show);
  byId("reset").addEventListener("click", () => move(scores.threshold));
  if (labelled) {
    for (const input of [missed, falseAlarm]) input.addEventListener("input", show);
    byId("least").addEventListener("click", () =>
      move(cheapest(scores, missed.valueAsNumber, falseAlarm.valueAsNumber)));
  }
  document.documentElement.classList.add("live");
  show();
})();
