"""Tables beyond the figures themselves: what faults explain, who is better over tasks, costs."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from oddgan.evaluation.comparison import Comparison, compare
from oddgan.evaluation.metrics import LOWER_IS_BETTER

from .figures import MISSING, Figures, Publication, Task, extent, heading, printed_figure
from .report import Grid, Row

_FEWEST_TASKS = 5
# A published number nearer to ours than this, or than our spread, needs no explanation.
_SAME = 0.01


def faults(figures: Figures, metric: str) -> list[Grid]:
    """Return how much of the way to the papers' own numbers their code's faults explain."""
    report = figures.report
    switched = sorted({text for _, _, text in report.planned if text})
    alone = [text for text in switched if "," not in text]
    together = [text for text in switched if "," in text]
    heads = [*alone, *(["all together"] if together else [])]
    tasks: list[Task] = [*report.tasks, *([None] if len(report.tasks) > 1 else [])]
    rows = []
    for title in report.rows:
        for task in tasks:
            # Which faults there are differs by method: all of them are one set for each.
            all_of = next((t for t in together if _has(figures, title, task, t)), None)
            sets = [*alone, *([all_of or ""] if together else [])]
            if any(_has(figures, title, task, text) for text in sets if text):
                rows.append(Row(title, _explained(figures, metric, title, task, sets)))
    columns = ("task", "published", "right", "to explain")
    pairs = (column for head in heads for column in (f"with {head}", "share"))
    note = (
        "Published: in the paper whose code it is. Right: without a fault. To explain: published "
        "minus right; nothing within .01, or within the standard deviation of ours over seeds. "
        "Share: (with fault minus right) / (published minus right)."
    )
    if report.size == "quick":
        note += (
            " What is to explain is also due to shorter training and smaller networks, and the "
            "shares with it: this is the quick size."
        )
    title = f"{heading(metric)}: with the faults of the papers' code"
    return [Grid(title, (*columns, *pairs), (*rows,), note)] if rows else []


def _has(figures: Figures, row: str, task: Task, text: str) -> bool:
    """Say whether a row was meant to run with these faults on a task; on all for the mean."""
    tasks = figures.report.tasks if task is None else [task]
    return all((row, each, text) in figures.report.planned for each in tasks)


def _explained(
    figures: Figures, metric: str, row: str, task: Task, sets: list[str]
) -> tuple[str, ...]:
    right = figures.mean(metric, row, task)
    source, record = _own(figures, metric, row, task)
    printed, said, gap = MISSING, "", None
    if source is not None and record is not None:
        printed = f"{printed_figure(record)} ({source.provenance}) [{source.number}]"
        if right is not None and source.provenance != "impossible":
            gap = record["value"] - right
            said = f"{gap:+.4f}".replace("0.", ".", 1)
            ours = [*figures.values(metric, row, task).values()]
            if abs(gap) <= max(_SAME, stdev(ours) if len(ours) > 1 else 0):
                said = "within .01" if abs(gap) <= _SAME else "within the spread"
                gap = None
    cells = []
    for text in sets:
        wrong = figures.mean(metric, row, task, text) if text else None
        cells.append(figures.text(metric, row, task, text) if text else "")
        if wrong is None or right is None or gap is None:
            cells.append("")
        else:
            cells.append(f"{100 * (wrong - right) / gap:.0f} %")
    return (task or "mean over tasks", printed, figures.text(metric, row, task), said, *cells)


def _own(
    figures: Figures, metric: str, row: str, task: Task
) -> tuple[Publication | None, Mapping[str, Any] | None]:
    """Return a paper's own value with its source; one that cannot be right only without others."""
    known = [(p, p.record(metric, task, figures)) for p in figures.publications if p.row == row]
    own = [(p, record) for p, record in known if record is not None and record["own"]]
    possible = [found for found in own if found[0].provenance != "impossible"]
    return next(iter([*possible, *own]), (None, None))


def comparison(figures: Figures, metric: str) -> list[Grid]:
    """Return average ranks and every pair, where there are enough tasks."""
    report = figures.report
    everyone = [title for title in (*report.rows, *report.others) if figures.planned(title)]
    table = pd.DataFrame(
        {t: [figures.mean(metric, t, task) for task in report.tasks] for t in everyone},
        index=list(report.tasks),
        dtype=float,
    )
    complete = table.dropna(axis=1)
    if len(report.tasks) < _FEWEST_TASKS or complete.shape[1] < 2:
        return []
    greater = metric not in LOWER_IS_BETTER
    found = compare(complete, greater_is_better=greater)
    order = sorted(complete.columns, key=lambda title: found.average_ranks[title])
    rows = []
    for i, a in enumerate(order):
        cells = [f"{found.average_ranks[a]:.2f}"]
        for b in order:
            chance = _chance(figures, metric, *((a, b) if greater else (b, a)))
            cells.append("" if a == b else f"{chance:.2f} ({found.pair(a, b).p_holm:.3f})")
        rows.append(Row(f"{i + 1}. {a}", tuple(cells), report.kind(a)))
    left_out = [title for title in everyone if title not in complete]
    columns = ("average rank", *(f"{i + 1}." for i in range(len(order))))
    name = heading(metric)
    return [
        Grid(
            f"{name}: who is better over the tasks",
            columns,
            tuple(rows),
            _explanation(found, left_out),
        )
    ]


def _explanation(found: Comparison, left_out: Sequence[str]) -> str:
    note = (
        f"Over {found.n_datasets} tasks, by average rank (1 is best). A cell is the chance that "
        "the row's method is better than the column's: the share of pairs of their seeds, equal "
        "ones counting half, averaged over the tasks; in brackets p of Wilcoxon's signed ranks on "
        "the means of the tasks, two-sided, after Holm's correction for all pairs. Tasks of one "
        "data set are not independent: then p is too small."
    )
    if found.friedman_p is not None:
        note += f" Friedman's test of equal ranks: p {found.friedman_p:.2g}."
    if found.note:
        note += f" {found.note}"
    if left_out:
        note += f" Left out for want of a result on some task: {', '.join(left_out)}."
    return note


def _chance(figures: Figures, metric: str, a: str, b: str) -> float:
    """Return the probability that a's value is the greater one, equal ones counting half."""
    shares = []
    for task in figures.report.tasks:
        ours = np.array([*figures.values(metric, a, task).values()])[:, None]
        theirs = np.array([*figures.values(metric, b, task).values()])
        shares.append(np.mean((ours > theirs) + 0.5 * (ours == theirs)))
    return float(np.mean(shares))


def costs(figures: Figures) -> list[Grid]:
    """Return detectors' times as multiples of the first one's, others' in seconds, and memory."""
    report = figures.report
    methods: dict[str, str] = {}  # one training serves several rows
    for title in (*report.rows, *report.others):
        for task in report.tasks:
            done = figures.finished(title, task)
            if done:
                methods.setdefault(done[0]["method"], title)
    if not methods:
        return []
    found = {method: _costs_of(figures, title) for method, title in methods.items()}
    detectors = [method for method, title in methods.items() if title in report.rows]
    rows = []
    for method, title in methods.items():
        if method in detectors:
            first = found[detectors[0]]
            times = (*(_ratio(found[method][:, i], first[:, i]) for i in range(2)), "")
        else:
            times = ("", "", _range(found[method][:, 2]))
        peak = found[method][:, 3]
        memory = f"{np.nanmax(peak):,.0f}" if np.isfinite(peak).any() else ""
        rows.append(Row(method, (*times, memory), report.kind(title)))
    note = (
        "Memory is the most that a process held in any cell, with what earlier cells left loaded. "
        "Cells may have run side by side."
    )
    if detectors:
        fit, score = (_range(found[detectors[0]][:, i]) for i in range(2))
        note = (
            f"Detectors' times are multiples of {detectors[0]}'s, geometric mean over the tasks "
            f"that both have. {detectors[0]} needs {fit} s to fit and {score} ms to score 1,000 "
            f"samples. {note}"
        )
    if len(detectors) < len(methods):
        note += (
            " Baselines and third-party detectors fit and score in one: all their seconds, the "
            "least and the most of any task."
        )
    return [Grid("Costs", ("fit", "scoring", "fit and scoring, s", "peak MiB"), tuple(rows), note)]


def _costs_of(figures: Figures, title: str) -> npt.NDArray[np.float64]:
    """Return, for each task, s to fit, ms to score 1,000 samples, s for all, and peak MiB.

    The first two are missing where fitting and scoring are one call.
    """
    found = []
    for task in figures.report.tasks:
        done = figures.finished(title, task)
        apart = [line for line in done if pd.notna(line["fit_seconds"])]
        as_one = [line for line in done if pd.isna(line["fit_seconds"])]
        fit = _known(line["fit_seconds"] for line in apart)
        score = _known(1e6 * line["score_seconds"] / line["n_test"] for line in apart)
        both = _known(line["score_seconds"] for line in as_one)
        peak = _known(line["peak_mib"] for line in done)
        means = [fmean(times or [np.nan]) for times in (fit, score, both)]
        found.append([*means, max(peak, default=np.nan)])
    return np.array(found, dtype=np.float64)


def _known(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values if pd.notna(value)]


def _ratio(times: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> str:
    known = (times > 0) & (reference > 0)  # neither is missing
    if not known.any():
        return ""
    ratio = np.exp(np.mean(np.log(times[known] / reference[known])))
    return f"{ratio:.2g}" if ratio < 100 else f"{ratio:,.0f}"


def _range(times: npt.NDArray[np.float64]) -> str:
    known = _known(times)
    # Three digits, but no exponents.
    digits = 0 if max(known, default=0) >= 100 else 2
    return extent(known, f"{{:,.{digits}f}}") if known else "(not measured)"
