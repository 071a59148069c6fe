"""Measure every detector on six tasks, and write the table of detectors.md.

    python docs/results/detectors_table.py --out FOLDER --markdown docs/results/detectors.md

Each cell (a detector on a task) is written to FOLDER at once, so an interrupted run resumes where
it stopped. A cell that failed, or was measured with other parameters, is measured again. The table
shows the cells in FOLDER.
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

# 28 x 28 images within the budget of a CPU: half the usual width, 1,000 batches of 32 (200
# training steps for methods whose critic needs five batches per step).
IMAGES = {"width": 32, "max_steps": 1000, "batch_size": 32}
IMAGES_TESTED = 2_000
# Scoring is repeated for this many seconds, and the fastest counts. All times are processor times.
TIMED = 1.0
# These search a latent vector for each sample, so they score only a part of larger tests.
SEARCHING = ("adgan", "anogan")
SEARCHED = {"kddcup99": 20_000, "mnist-3": 500, "mnist-8": 500}
REFERENCE = "egbad"
VERSIONS = ("oddgan", "torch", "scikit-learn", "numpy")
BASELINES = "baselines"
Task = tuple[Dataset, Split]
Results = dict[str, dict[str, Any]]


def main() -> None:
    """Measure the missing cells of the folder, then write the table."""
    all_names = list(all_detectors())
    parser = argparse.ArgumentParser(description="Measure every detector on six tasks.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=all_names, default=all_names)
    parser.add_argument("--data", nargs="+", metavar="NAME", choices=TASKS, default=list(TASKS))
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="default: FOLDER/table.md")
    parser.add_argument(
        "--set", nargs="+", metavar="NAME=JSON", default=[], help="parameters, to test the script"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    params = {name: json.loads(value) for name, value in (s.split("=", 1) for s in args.set)}
    run = time.strftime("%Y-%m-%d %H:%M:%S")
    # The reference first: times are ratios to its times.
    detectors = sorted(args.only, key=lambda name: name != REFERENCE)
    for task in args.data:
        for name in (BASELINES, *detectors):
            settings = {} if name == BASELINES else {**budget(task, name), **params}
            path = args.out / f"{task}-{name}.json"
            if not measured_before(path, settings):
                fill(path, partial(cell, task, name, settings), settings, run)
    text = markdown(cells(args.out), " ".join(map(shlex.quote, ["python", *sys.argv])))
    (args.markdown or args.out / "table.md").write_text(text, encoding="utf-8")


def budget(task: str, name: str) -> dict[str, Any]:
    """Return the settings that differ from the defaults: on images equally many batches for all."""
    if not task.startswith("mnist"):
        return {}
    batches = all_detectors()[name]()._batches_per_step
    return {**IMAGES, "max_steps": IMAGES["max_steps"] // batches}


def measured_before(path: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether a cell exists, without an error and with these parameters."""
    stored = json.loads(path.read_text()) if path.exists() else {"error": "not measured"}
    return "error" not in stored and stored["parameters"] == settings


def fill(
    path: Path, compute: Callable[[], dict[str, Any]], settings: Mapping[str, Any], run: str
) -> None:
    """Write the result of `compute`, or why it failed."""
    print(f"{time.strftime('%H:%M:%S')} {path.stem}", flush=True)
    try:
        result = compute()
    except Exception as error:  # one method that fails must not hide the others
        result = {"error": f"{type(error).__name__}: {error}"}
        print(f"    {result['error']}", flush=True)
    versions = {name: importlib.metadata.version(name) for name in VERSIONS}
    versions |= {"Python": platform.python_version()}
    result |= {
        "parameters": settings,
        "run": run,
        "threads": torch.get_num_threads(),
        "versions": versions,
    }
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(result, indent=1))
    unfinished.replace(path)


def cell(task: str, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train and test one detector, or the baselines, on one task."""
    dataset, split = opened(task)
    if name == BASELINES:
        baseline_scores = evaluation.run_baselines(dataset, split)
        return {"baselines": {n: metrics(split, scores) for n, scores in baseline_scores.items()}}
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
    """Return the metrics of one row."""
    return evaluation.evaluate_scores(
        split.y_test, scores, threshold=threshold, flag_rate=split.flag_rate
    ).as_dict()


def rows(dataset: Dataset, index: Any) -> Any:
    """Return samples of a data set."""
    return dataset.X.iloc[index] if isinstance(dataset.X, pd.DataFrame) else dataset.X[index]


# ------------------------------------------------------------------------------------ tasks


def kdd() -> Task:
    """Return KDD Cup 1999 in the papers' protocol."""
    dataset = load("kddcup99")
    return dataset, evaluation.KDD99().split(dataset)


def mnist(digit: int) -> Task:
    """Return MNIST with one normal digit and a capped number of test images."""
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


def cells(folder: Path) -> Results:
    """Return the cells by task and by name; each baseline has a separate name."""
    results: Results = {}
    for task in TASKS:
        paths = {name: folder / f"{task}-{name}.json" for name in (BASELINES, *all_detectors())}
        by_name = {n: json.loads(path.read_text()) for n, path in paths.items() if path.exists()}
        if "baselines" in by_name.get(BASELINES, {}):
            by_name |= by_name.pop(BASELINES)["baselines"]
        if by_name:
            results[task] = by_name
    return results


def markdown(results: Results, command: str) -> str:
    """Return the text of all tables, with all that is needed to read and repeat them."""
    title = all_detectors()[REFERENCE].__name__
    figures = {
        "AUROC": partial(figure, key="auroc"),
        "Average precision": partial(figure, key="average_precision"),
        "Normal test samples flagged at the model's own threshold, .05 requested": partial(
            figure, key="fpr"
        ),
        f"Processor seconds of training, as a multiple of {title}'s": partial(
            ratio, key="fit_seconds"
        ),
        f"Time to score 1,000 samples, as a multiple of {title}'s": partial(
            ratio, key="score_ms_per_1000"
        ),
    }
    kdd_only = {task: by_name for task, by_name in results.items() if task == "kddcup99"}
    parts = [ABOUT.format(images=", ".join(f"{n} {v}" for n, v in IMAGES.items()))]
    parts += [f"{measurement_line(results)}\n\n```\n{command}\n```"]
    for heading, cell_of in figures.items():
        table = grid(results, cell_of, prevalence="precision" in heading)
        parts += [f"## {heading}", table]
    if kdd_only:
        f1 = grid(kdd_only, partial(figure, key="f1_at_rate"))
        parts += ["## F1 when 20 % are flagged, as in the papers", f1]
    parts += [f"{title} itself: {reference_times(results)}."]
    failed = [
        f"- {name} on {task}: {measured['error']}"
        for task, by_name in results.items()
        for name, measured in by_name.items()
        if "error" in measured
    ]
    parts += ["Failed:", "\n".join(failed)] if failed else []
    return "\n\n".join(parts) + "\n"


ABOUT = f"""\
# All detectors, side by side

One seed, default settings and default scores. Three defaults were changed after a first version of
the table had been seen; the end of this page says which, and gives the old results. Rows in lower
case are baselines that learn little or nothing.

- cardio, thyroid, satimage-2: tables of ADBench; 70 % of their normal rows train (`Labelled` of
  `oddgan.evaluation`).
- mnist-3, mnist-8: this digit is normal; official training part, {IMAGES_TESTED:,} images of the
  test part drawn by seed 0 (`OneClassNormal`). Trained within a CPU's budget: {{images}}
  (the same number of batches for methods that use five per training step).
- kddcup99: the papers' protocol (`KDD99`).

†: scored on fewer of the test samples, drawn by seed 0, because it searches a latent vector for
each: {", ".join(f"{n:,} of {task}" for task, n in SEARCHED.items())}.
‡: a multiple of a time that was measured in another run. Times are of one processor thread."""


def measurement_line(results: Results) -> str:
    """Return when, with which versions and with how many threads the cells were measured."""
    run_cells = [c for by_name in results.values() for c in by_name.values() if "run" in c]
    environments = {
        f"{', '.join(f'{n} {v}' for n, v in c['versions'].items())}; threads: {c['threads']}"
        for c in run_cells
    }
    days = sorted({c["run"].split()[0] for c in run_cells})
    return f"Measured on {', '.join(days)} with {' and with '.join(sorted(environments))}:"


def grid(
    results: Results, cell_of: Callable[[Mapping[str, Any], str], str], prevalence: bool = False
) -> str:
    """Return a table of one figure: a row for each method, a column for each task."""
    titles = {name: cls.__name__ for name, cls in all_detectors().items()}
    titles |= {name: name.replace("_", " ") for name in evaluation.BASELINES}
    rows = {
        title: [cell_of(by_name, name) for by_name in results.values()]
        for name, title in titles.items()
    }
    if prevalence:
        rows["*prevalence*"] = [
            rounded(widest(by_name).get("prevalence")) for by_name in results.values()
        ]
    lines = [["", *results], ["---", *["---:"] * len(results)]]
    lines += [[title, *cells] for title, cells in rows.items() if set(cells) != {"–"}]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(by_name: Mapping[str, Any], name: str, key: str) -> str:
    """Return one figure of one method, marked if it was tested on fewer rows than others."""
    measured = by_name.get(name, {})
    if "error" in measured:
        return "failed"
    fewer = measured.get("n", np.inf) < widest(by_name).get("n", 0)
    return rounded(measured.get(key)) + ("†" if fewer else "")


def ratio(by_name: Mapping[str, Any], name: str, key: str) -> str:
    """Return a time as a multiple of the reference's, marked if that is from another run."""
    measured, reference = by_name.get(name, {}), by_name.get(REFERENCE, {})
    if key not in measured or key not in reference:
        return "–"
    mark = "‡" if measured["run"] != reference["run"] else ""
    return f"{measured[key] / reference[key]:.2f}{mark}"


def reference_times(results: Results) -> str:
    """Return the times of the reference."""
    return "; ".join(
        f"{task} {c['fit_seconds']:.1f} s of training, {c['score_ms_per_1000']:.1f} ms per 1,000"
        for task, by_name in results.items()
        if "fit_seconds" in (c := by_name.get(REFERENCE, {}))
    )


def widest(by_name: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the measurement with the most test rows."""
    return max(by_name.values(), key=lambda measured: measured.get("n", 0))


def rounded(value: float | None) -> str:
    """Return three decimals without the leading zero."""
    return "–" if value is None else f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    main()
