/** The page: what the parts tell each other. */

import { Api } from "./api.js";
import { csv, download } from "./csv.js";
import { announce, count, whole } from "./dom.js";
import { Results } from "./results.js";
import { isTable, upload } from "./upload.js";
import "./models.js";
import "./drop.js";
import "./progress.js";
import "./token.js";
import "./threshold.js";
import "./list.js";
import "./detail.js";

// Contributions of every column of every row are many times the size of the table.
const EXPLAINED_BYTES = 4 * 2 ** 20;
const UNEXPLAINED = "The table is too large for contributions. Score the rows in question on their own.";

const part = (name) => document.querySelector(name);
const [models, drop, progress, problemList] = ["models", "drop", "progress", "problems"].map((n) =>
  part(`odd-${n}`),
);
const [threshold, list, detail] = ["threshold", "list", "detail"].map((n) => part(`odd-${n}`));
const main = part("main");
const section = part("#results");

const api = new Api((again) => part("odd-token").ask(again));
const results = new Results();
let problems = [];
let work = null; // what is being done: { files, done, stop }

for (const view of [threshold, list, detail]) view.for = results;

async function start() {
  show([]);
  try {
    const found = await api.models();
    models.show(found);
  } catch (error) {
    models.fail();
    show([{ files: [], message: error.message, again: true }]);
  }
}

function show(found) {
  problems = found;
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
  main.classList.remove("open");
  show([]);
  layOut();
}

/** Score files, or add them to those that are waiting. */
async function take(files) {
  if (work) return void work.files.push(...files);
  const mine = { files: [...files], done: 0, stop: new AbortController() };
  work = mine;
  models.busy = true;
  for (let next = 0; next < mine.files.length && work === mine; ) {
    const now = mine.files.slice(next);
    next = mine.files.length;
    await run(now, mine);
  }
  if (work !== mine) return; // all was cleared meanwhile
  work = null;
  models.busy = false;
  progress.hidden = true;
  sum();
}

async function run(files, job) {
  const { signal } = job.stop;
  const left = new Set(files);
  const step = (chunk) => {
    chunk.forEach((file) => left.delete(file));
    job.done += chunk.length;
    progress.show(job.done, job.files.length, files[0].path);
  };
  const scored = (chunk, answer) => {
    results.add(read(chunk, answer));
    layOut();
    step(chunk);
  };
  const refused = (chunk, { message }) => {
    fail(chunk, message, false);
    step(chunk);
  };
  progress.show(job.done, job.files.length, files[0].path);
  try {
    await upload(files, (chunk) => send(chunk, signal), { scored, refused }, signal);
  } catch (error) {
    if (work !== job) return;
    const cancelled = error.name === "AbortError";
    fail([...left], cancelled ? "You cancelled before it was scored." : error.message, true);
    job.done += left.size;
  }
}

async function send(chunk, signal) {
  const { name, explains } = results.model;
  const table = isTable(chunk[0]);
  const explain = explains && !(table && chunk[0].size > EXPLAINED_BYTES);
  try {
    return await api.score(name, chunk, explain, signal);
  } catch (error) {
    if (!(table && explain && [413, 504].includes(error.status))) throw error;
    return api.score(name, chunk, false, signal);
  }
}

/** Make samples of an answer. */
function read(chunk, { samples }) {
  if (!isTable(chunk[0]) && samples.length !== chunk.length) {
    throw new Error("The service answered for another number of images.");
  }
  const { kind, explains } = results.model;
  return samples.map((sample, i) => {
    const file = chunk[kind === "image" ? i : 0];
    const image = kind === "image";
    return {
      ...sample,
      path: file.path,
      name: image ? file.path : `Row ${sample.sample}`,
      url: image ? URL.createObjectURL(file) : null,
      unexplained: explains ? UNEXPLAINED : null,
    };
  });
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

models.addEventListener("choose", clear);
drop.addEventListener("files", ({ detail: files }) => take(files));
drop.addEventListener("clear", clear);
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
