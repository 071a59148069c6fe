/** The page: connects its components. */

import { Api } from "./api.js";
import { csv, download } from "./csv.js";
import { announce, count, whole } from "./dom.js";
import { Results } from "./results.js";
import { Scoring } from "./scoring.js";
import { upload } from "./upload.js";
import "./models.js";
import "./drop.js";
import "./progress.js";
import "./token.js";
import "./threshold.js";
import "./list.js";
import "./detail.js";

const part = (name) => document.querySelector(name);
const [models, drop, progress, problemList] = ["models", "drop", "progress", "problems"].map((n) =>
  part(`odd-${n}`),
);
const [threshold, list, detail] = ["threshold", "list", "detail"].map((n) => part(`odd-${n}`));
const main = part("main");
const section = part("#results");

const api = new Api((again) => part("odd-token").ask(again));
const results = new Results();
let limits = {};
let scoring = null;
let problems = [];
let timer = 0; // of the request for an explanation
let work = null; // the current job: { files, done, stop }

for (const view of [threshold, list, detail]) view.for = results;

async function start() {
  show([]);
  try {
    const answer = await api.models();
    limits = answer.limits;
    models.show(answer.models);
  } catch (error) {
    models.fail();
    show([{ files: [], message: error.message, again: true }]);
  }
}

function show(current) {
  problems = current;
  problemList.show(problems);
}

function layOut() {
  const some = results.samples.length > 0;
  section.hidden = !some;
  drop.show(models.model, some);
}

function clear() {
  const last = work;
  work = null;
  last?.stop.abort();
  models.busy = false;
  progress.hidden = true;
  for (const { url } of results.samples) if (url) URL.revokeObjectURL(url);
  results.clear(models.model);
  scoring = new Scoring(api, models.model, limits);
  main.classList.remove("open");
  show([]);
  layOut();
}

/** Score files, or add them to the queue. */
async function take(files) {
  if (work) return void work.files.push(...files);
  const job = { files: [...files], done: 0, stop: new AbortController() };
  work = job;
  models.busy = true;
  for (let next = 0; next < job.files.length && work === job; ) {
    const now = job.files.slice(next);
    next = job.files.length;
    await run(now, job);
  }
  if (work !== job) return; // cleared in the meantime
  work = null;
  models.busy = false;
  progress.hidden = true;
  sum();
}

async function run(files, job) {
  const { signal } = job.stop;
  const pending = new Set(files);
  const step = (chunk) => {
    chunk.forEach((file) => pending.delete(file));
    job.done += chunk.length;
    progress.show(job.done, job.files.length, files[0].path);
  };
  const send = (chunk) => scoring.score(chunk, signal);
  const scored = (chunk, samples) => {
    results.add(samples);
    layOut();
    step(chunk);
  };
  const refused = (chunk, { message }) => {
    fail(chunk, message, false);
    step(chunk);
  };
  progress.show(job.done, job.files.length, files[0].path);
  try {
    await upload(files, send, { scored, refused }, signal, scoring.limit);
  } catch (error) {
    if (work !== job) return;
    const cancelled = error.name === "AbortError";
    fail([...pending], cancelled ? "You cancelled before it was scored." : error.message, true);
    job.done += pending.size;
  }
}

function fail(files, message, again) {
  const same = problems.find((p) => p.message === message && p.again === again);
  if (same) same.files.push(...files);
  else problems.push({ files, message, again });
  show(problems);
}

function sum() {
  const failed = problems.reduce((n, { files }) => n + files.length, 0);
  const bad = failed ? `; ${count(failed, "file")} could not be scored` : "";
  const n = count(results.samples.length, "sample");
  announce(`${whole(results.flagged)} of ${n} flagged${bad}`);
}

function open(byKey) {
  main.classList.add("open");
  if (byKey || getComputedStyle(list).display === "none") detail.enter();
}

/** Explain the selected row, once; not while a key runs through the list. */
function askWhy() {
  const { selected } = results;
  clearTimeout(timer);
  if (!selected?.askable || selected.asked) return;
  const current = scoring;
  const ask = async () => {
    selected.asked = true;
    try {
      await current.explain([selected]);
    } catch (error) {
      Object.assign(selected, { askable: false, unexplained: error.message });
    }
    if (current === scoring) results.explained(selected);
  };
  timer = setTimeout(ask, 150);
}

results.addEventListener("selection", askWhy);
results.addEventListener("threshold", askWhy);
models.addEventListener("choose", () => {
  const { model } = results;
  const files = new Set(results.samples.map(({ file }) => file));
  clear();
  drop.offer(model?.kind === models.model.kind ? [...files] : []);
});
drop.addEventListener("files", ({ detail: files }) => take(files));
drop.addEventListener("clear", () => {
  clear();
  drop.offer([]);
});
progress.addEventListener("cancel", () => work.stop.abort());
problemList.addEventListener("again", ({ detail: problem }) => {
  show(problems.filter((other) => other !== problem));
  if (problem.files.length) take(problem.files);
  else start();
});
threshold.addEventListener("save", () => {
  download(`${results.model.name}-scores.csv`, csv(results, problems));
});
list.addEventListener("open", ({ detail: byKey }) => open(byKey));
detail.addEventListener("previous", () => list.step(-1));
detail.addEventListener("next", () => list.step(1));
detail.addEventListener("back", () => {
  main.classList.remove("open");
  list.focus();
});

start();
