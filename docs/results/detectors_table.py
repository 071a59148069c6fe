"""Measure every detector on six tasks, and write the table of detectors.md.

    python docs/results/detectors_table.py --out FOLDER --markdown docs/results/detectors.md

Each cell (a detector on a task) is written to FOLDER at once: a run that is stopped goes on where
it was; a cell that failed, or was measured with other parameters, is measured again. The table is
made of what is in FOLDER.
"""

import argparse
import importlib.metadata
import json
import platform
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from oddgan import all_detectors, evaluation
from oddgan.datasets import Dataset, data_home, load
from oddgan.evaluation import Split

# 28 x 28 images within the budget of a CPU: half the usual width, 1,000 batches of 32 (200 rounds
# where a round takes five, for a critic).
IMAGES = {"width": 32, "max_steps": 1000, "batch_size": 32}
IMAGES_TESTED = 2_000
# Scoring is repeated for as many seconds, and the quickest counts. All times are the processor's.
TIMED = 1.0
# They search a latent vector for each sample they score: of larger tests a part must do.
SEARCHING = ("adgan", "anogan")
SEARCHED = {"kddcup99": 20_000, "mnist-3": 500, "mnist-8": 500}
REFERENCE = "egbad"
VERSIONS = ("oddgan", "torch", "scikit-learn", "numpy")
BASELINES = "baselines"
Task = tuple[Dataset, Split]
Found = dict[str, dict[str, Any]]


def main() -> None:
    """Fill the folder with the cells that it lacks, then write the table."""
    every = list(all_detectors())
    parser = argparse.ArgumentParser(description="Measure every detector on six tasks.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=every, default=every)
    parser.add_argument("--data", nargs="+", metavar="NAME", choices=TASKS, default=list(TASKS))
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="default: FOLDER/table.md")
    parser.add_argument(
        "--set", nargs="+", metavar="NAME=JSON", default=[], help="parameters, to try the script"
    )
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    params = {name: json.loads(value) for name, value in (s.split("=", 1) for s in asked.set)}
    run = time.strftime("%Y-%m-%d %H:%M:%S")
    # The reference first: times are told as ratios to its own.
    detectors = sorted(asked.only, key=lambda name: name != REFERENCE)
    for task in asked.data:
        for name in (BASELINES, *detectors):
            settings = {} if name == BASELINES else {**budget(task, name), **params}
            path = asked.out / f"{task}-{name}.json"
            if not measured_before(path, settings):
                fill(path, partial(cell, task, name, settings), settings, run)
    text = markdown(cells(asked.out), " ".join(map(shlex.quote, ["python", *sys.argv])))
    (asked.markdown or asked.out / "table.md").write_text(text, encoding="utf-8")


def budget(task: str, name: str) -> dict[str, Any]:
    """Return the settings that are no defaults: on images as many batches for all."""
    if not task.startswith("mnist"):
        return {}
    batches = all_detectors()[name]()._batches_per_step
    return {**IMAGES, "max_steps": IMAGES["max_steps"] // batches}


def measured_before(path: Path, settings: Mapping[str, Any]) -> bool:
    """Say whether a cell is there, without an error and with these parameters."""
    found = json.loads(path.read_text()) if path.exists() else {"error": "not measured"}
    return "error" not in found and found["parameters"] == settings


def fill(
    path: Path, compute: Callable[[], dict[str, Any]], settings: Mapping[str, Any], run: str
) -> None:
    """Write what `compute` finds, or why it failed."""
    print(f"{time.strftime('%H:%M:%S')} {path.stem}", flush=True)
    try:
        found = compute()
    except Exception as error:  # one method that fails must not hide the others
        found = {"error": f"{type(error).__name__}: {error}"}
        print(f"    {found['error']}", flush=True)
    versions = {name: importlib.metadata.version(name) for name in VERSIONS}
    versions |= {"Python": platform.python_version()}
    found |= {
        "parameters": settings,
        "run": run,
        "threads": torch.get_num_threads(),
        "versions": versions,
    }
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(found, indent=1))
    unfinished.replace(path)


def cell(task: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train and test one detector, or the baselines, on one task."""
    dataset, split = opened(task)
    if name == BASELINES:
        found = evaluation.run_baselines(dataset, split)
        return {"baselines": {n: metrics(split, scores) for n, scores in found.items()}}
    if task in SEARCHED and name in SEARCHING:
        split = capped(split, SEARCHED[task])
    detector = all_detectors()[name](**settings, random_state=0)
    start = time.process_time()
    detector.fit(rows(dataset, split.train))
    fit_seconds = time.process_time() - start
    test, times = rows(dataset, split.test), []
    while not times or sum(times) < TIMED:
        start = time.process_time()
        scores = detector.anomaly_score(test)
        times.append(time.process_time() - start)
    return {
        **metrics(split, scores, detector.threshold_),
        "n_train": len(split.train),
        "fit_seconds": fit_seconds,
        "score_ms_per_1000": 1e6 * min(times) / len(split.test),
    }


def metrics(split: Split, scores: Any, threshold: float | None = None) -> dict[str, Any]:
    """Return the figures of one row."""
    return evaluation.evaluate_scores(
        split.y_test, scores, threshold=threshold, flag_rate=split.flag_rate
    ).as_dict()


def rows(dataset: Dataset, index: Any) -> Any:
    """Return these samples of a data set."""
    return dataset.X.iloc[index] if isinstance(dataset.X, pd.DataFrame) else dataset.X[index]


# ------------------------------------------------------------------------------------ tasks


def kdd() -> Task:
    """KDD Cup 1999 in the papers' protocol."""
    dataset = load("kddcup99")
    return dataset, evaluation.KDD99().split(dataset)


def mnist(digit: int) -> Task:
    """One digit of MNIST is normal; test images are capped."""
    dataset = load("mnist")
    return dataset, capped(evaluation.OneClassNormal(digit).split(dataset), IMAGES_TESTED)


def adbench(name: str) -> Task:
    """Return a table of ADBench, from the files in the data home."""
    files = sorted((data_home() / "adbench").glob(f"*_{name}.npz"))
    if not files:
        raise FileNotFoundError(f"{data_home() / 'adbench'} has no *_{name}.npz")
    with np.load(files[0], allow_pickle=False) as file:
        X = pd.DataFrame(file["X"]).add_prefix("x")
        dataset = Dataset(name, "table", X, file["y"].astype(int), None, "ADBench")
    return dataset, evaluation.Labelled().split(dataset)


def capped(split: Split, n: int) -> Split:
    """Keep `n` of the test rows, drawn by seed 0."""
    if len(split.test) <= n:
        return split
    keep = np.sort(np.random.default_rng(0).choice(len(split.test), n, replace=False))
    return replace(split, test=split.test[keep], y_test=split.y_test[keep])


TASKS: dict[str, Callable[[], Task]] = {
    "cardio": partial(adbench, "cardio"),
    "thyroid": partial(adbench, "thyroid"),
    "satimage-2": partial(adbench, "satimage-2"),
    "mnist-3": partial(mnist, 3),
    "mnist-8": partial(mnist, 8),
    "kddcup99": kdd,
}


@cache
def opened(task: str) -> Task:
    """Read the data of a task once."""
    return TASKS[task]()


# -------------------------------------------------------------------------------- the table


def cells(folder: Path) -> Found:
    """Return what was measured, by task and then by name, the baselines as names of their own."""
    found: Found = {}
    for task in TASKS:
        paths = {name: folder / f"{task}-{name}.json" for name in (BASELINES, *all_detectors())}
        read = {n: json.loads(path.read_text()) for n, path in paths.items() if path.exists()}
        if "baselines" in read.get(BASELINES, {}):
            read |= read.pop(BASELINES)["baselines"]
        if read:
            found[task] = read
    return found


def markdown(found: Found, command: str) -> str:
    """Return the text of all tables, with what is needed to read and to repeat them."""
    figures = {
        "AUROC": partial(figure, key="auroc"),
        "Average precision": partial(figure, key="average_precision"),
        "Normal test samples flagged at the model's own threshold, asked for .05": partial(
            figure, key="fpr"
        ),
        f"Processor seconds of training, as a multiple of {REFERENCE}'s": partial(
            ratio, key="fit_seconds"
        ),
        f"Time to score 1,000 samples, as a multiple of {REFERENCE}'s": partial(
            ratio, key="score_ms_per_1000"
        ),
    }
    kdd_only = {task: read for task, read in found.items() if task == "kddcup99"}
    parts = [ABOUT.format(images=", ".join(f"{n} {v}" for n, v in IMAGES.items()))]
    parts += [f"{made_with(found)}\n\n```\n{command}\n```"]
    for title, cell_of in figures.items():
        parts += [f"## {title}", grid(found, cell_of, prevalence="precision" in title)]
    if kdd_only:
        f1 = grid(kdd_only, partial(figure, key="f1_at_rate"))
        parts += ["## F1 when 20 % are flagged, as in the papers", f1]
    parts += [f"{REFERENCE} itself: {own_times(found)}."]
    failed = [
        f"- {name} on {task}: {measured['error']}"
        for task, read in found.items()
        for name, measured in read.items()
        if "error" in measured
    ]
    parts += ["Failed:", "\n".join(failed)] if failed else []
    return "\n\n".join(parts) + "\n"


ABOUT = f"""\
# All detectors, side by side

One seed, default settings and default scores. Three defaults were changed after a first version of
the table had been seen; the end of this page says which, and what stood here before. Rows in small
letters are baselines that learn little or nothing.

- cardio, thyroid, satimage-2: tables of ADBench, 70 % of whose normal rows train (`Labelled` of
  `oddgan.evaluation`).
- mnist-3, mnist-8: this digit is normal; official training part, {IMAGES_TESTED:,} images of the
  test part drawn by seed 0 (`OneClassNormal`). Trained within a CPU's budget: {{images}}
  (as many batches for those whose round takes five).
- kddcup99: the papers' protocol (`KDD99`).

†: scored on fewer of the test samples, drawn by seed 0, because it searches a latent vector for
each: {", ".join(f"{n:,} of {task}" for task, n in SEARCHED.items())}.
‡: a multiple of a time that was measured in another run. Times are of one processor thread."""


def made_with(found: Found) -> str:
    """Say when, with which versions and with how many threads the cells were measured."""
    measured = [c for read in found.values() for c in read.values() if "run" in c]
    with_what = {
        f"{', '.join(f'{n} {v}' for n, v in c['versions'].items())}; threads: {c['threads']}"
        for c in measured
    }
    days = sorted({c["run"].split()[0] for c in measured})
    return f"Measured on {', '.join(days)} with {' and with '.join(sorted(with_what))}:"


def grid(
    found: Found, cell_of: Callable[[Mapping[str, Any], str], str], prevalence: bool = False
) -> str:
    """Return a table of one figure: a row for each method, a column for each task."""
    named = {name: cls.__name__ for name, cls in all_detectors().items()}
    named |= {name: name.replace("_", " ") for name in evaluation.BASELINES}
    rows = {
        title: [cell_of(read, name) for read in found.values()] for name, title in named.items()
    }
    if prevalence:
        rows["*prevalence*"] = [rounded(widest(read).get("prevalence")) for read in found.values()]
    lines = [["", *found], ["---", *["---:"] * len(found)]]
    lines += [[title, *cells] for title, cells in rows.items() if set(cells) != {"–"}]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(read: Mapping[str, Any], name: str, key: str) -> str:
    """Return one figure of one method, marked where it was tested on fewer rows than others."""
    measured = read.get(name, {})
    if "error" in measured:
        return "failed"
    fewer = measured.get("n", np.inf) < widest(read).get("n", 0)
    return rounded(measured.get(key)) + ("†" if fewer else "")


def ratio(read: Mapping[str, Any], name: str, key: str) -> str:
    """Return a time as a multiple of the reference's, marked where that is of another run."""
    measured, reference = read.get(name, {}), read.get(REFERENCE, {})
    if key not in measured or key not in reference:
        return "–"
    mark = "‡" if measured["run"] != reference["run"] else ""
    return f"{measured[key] / reference[key]:.2f}{mark}"


def own_times(found: Found) -> str:
    """Say how long the reference itself took."""
    return "; ".join(
        f"{task} {c['fit_seconds']:.1f} s of training, {c['score_ms_per_1000']:.1f} ms per 1,000"
        for task, read in found.items()
        if "fit_seconds" in (c := read.get(REFERENCE, {}))
    )


def widest(read: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the measurement with the most test rows."""
    return max(read.values(), key=lambda measured: measured.get("n", 0))


def rounded(value: float | None) -> str:
    """Write three decimals without the leading zero."""
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()
