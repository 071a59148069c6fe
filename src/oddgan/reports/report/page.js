"use strict";
// The page: the slider, the costs, and what they change.

(() => {
  const byId = (id) => document.getElementById(id);
  const scores = readScores(JSON.parse(byId("scores").textContent));
  const [slider, number] = [byId("slider"), byId("number")];
  const [missed, falseAlarm] = [byId("cost-missed"), byId("cost-false")];
  const labelled = scores.anomalous !== null && scores.nAnomalous > 0;
  let threshold = scores.threshold;
  let later = 0;

  function write(id, text) {
    const place = byId(id);
    if (place && place.textContent !== text) place.textContent = text;
  }

  function show() {
    const counts = counted(scores, stepOf(scores, threshold));
    const at = positionOf(scores.axis, threshold);
    byId("marker").style.left = `${100 * at}%`;
    byId("above").style.left = `${100 * at}%`;
    slider.value = Math.round(at * Number(slider.max));
    const share = percent(counts.flagged / scores.n);
    slider.setAttribute("aria-valuetext", `threshold ${figure(threshold)}, ${share} flagged`);
    if (document.activeElement !== number) number.value = threshold;
    write("at", figure(threshold));
    write("flagged", count(counts.flagged));
    write("flagged-share", share);
    write("promised", percent(counts.promised));
    let said = `${count(counts.flagged)} of ${count(scores.n)} samples flagged (${share})`;
    if (labelled) said += showLabelled(counts);
    showDecisions();
    clearTimeout(later);
    later = setTimeout(() => write("said", `Threshold ${figure(threshold)}: ${said}.`), 400);
  }

  function showLabelled(counts) {
    const [n, found] = [scores.nAnomalous, counts.found];
    const alarms = counts.flagged - found;
    const recall = percent(found / n);
    const precision = counts.flagged ? percent(found / counts.flagged) : "none flagged";
    write("found", count(found));
    write("recall", recall);
    write("precision", precision);
    write("alarms", count(alarms));
    write("alarm-rate", scores.n > n ? percent(alarms / (scores.n - n)) : "no normal sample");
    const costs = [missed, falseAlarm].map((input) => input.valueAsNumber);
    const valid = costs.every((cost) => Number.isFinite(cost) && cost >= 0);
    const cost = valid ? amount(costOf(scores, counts, ...costs)) : "give two costs";
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

  function move(to) {
    threshold = settled(scores, to);
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
