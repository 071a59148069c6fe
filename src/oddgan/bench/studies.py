"""Further tables: the effect of faults, comparisons over tasks, and costs."""

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
# A published number closer to ours than this, or than our spread, needs no explanation.
_NEGLIGIBLE = 0.01


def faults(figures: Figures, metric: str) -> list[Grid]:
    """Return how much of the gap to the papers' own numbers their code's faults explain."""
    report = figures.report
    fault_sets = sorted({text for _, _, text in report.planned if text})
    alone = [text for text in fault_sets if "," not in text]
    together = [text for text in fault_sets if "," in text]
    headings = [*alone, *(["all together"] if together else [])]
    tasks: list[Task] = [*report.tasks, *([None] if len(report.tasks) > 1 else [])]
    rows = []
    for title in report.rows:
        for task in tasks:
            # Faults differ between methods; each method has one set with all of its faults.
            all_faults = next((t for t in together if _is_planned(figures, title, task, t)), None)
            sets = [*alone, *([all_faults or ""] if together else [])]
            if any(_is_planned(figures, title, task, text) for text in sets if text):
                rows.append(Row(title, _explained(figures, metric, title, task, sets)))
    columns = ("task", "published", "right", "to explain")
    pairs = (column for text in headings for column in (f"with {text}", "share"))
    note = (
        "Published: in the paper whose code has the fault. Right: without faults. To explain: "
        "published minus right, unless within .01 or our standard deviation over seeds. "
        "Share: (with fault minus right) / (published minus right)."
    )
    if report.size == "quick":
        note += (
            " In the quick size shorter training and smaller networks also contribute to what is "
            "to explain, and so change the shares."
        )
    title = f"{heading(metric)}: with the faults of the papers' code"
    return [Grid(title, (*columns, *pairs), (*rows,), note)] if rows else []


def _is_planned(figures: Figures, row: str, task: Task, text: str) -> bool:
    """Return whether a row was planned with these faults on a task, or on all for the mean."""
    tasks = figures.report.tasks if task is None else [task]
    return all((row, title, text) in figures.report.planned for title in tasks)


def _explained(
    figures: Figures, metric: str, row: str, task: Task, sets: list[str]
) -> tuple[str, ...]:
    correct = figures.mean(metric, row, task)
    source, record = _own_value(figures, metric, row, task)
    printed, to_explain, gap = MISSING, "", None
    if source is not None and record is not None:
        printed = f"{printed_figure(record)} ({source.provenance}) [{source.number}]"
        if correct is not None and source.provenance != "impossible":
            gap = record["value"] - correct
            to_explain = f"{gap:+.4f}".replace("0.", ".", 1)
            ours = [*figures.values(metric, row, task).values()]
            if abs(gap) <= max(_NEGLIGIBLE, stdev(ours) if len(ours) > 1 else 0):
                to_explain = "within .01" if abs(gap) <= _NEGLIGIBLE else "within the spread"
                gap = None
    cells = []
    for text in sets:
        faulty = figures.mean(metric, row, task, text) if text else None
        cells.append(figures.text(metric, row, task, text) if text else "")
        if faulty is None or correct is None or gap is None:
            cells.append("")
        else:
            cells.append(f"{100 * (faulty - correct) / gap:.0f} %")
    return (task or "mean over tasks", printed, figures.text(metric, row, task), to_explain, *cells)


def _own_value(
    figures: Figures, metric: str, row: str, task: Task
) -> tuple[Publication | None, Mapping[str, Any] | None]:
    """Return a paper's own value with its source; an impossible one only if there is no other."""
    values = [(p, p.record(metric, task, figures)) for p in figures.publications if p.row == row]
    own_values = [(p, record) for p, record in values if record is not None and record["own"]]
    possible = [value for value in own_values if value[0].provenance != "impossible"]
    return next(iter([*possible, *own_values]), (None, None))


def comparison(figures: Figures, metric: str) -> list[Grid]:
    """Return average ranks and comparisons of all pairs, if there are enough tasks."""
    report = figures.report
    titles = [title for title in (*report.rows, *report.others) if figures.planned(title)]
    table = pd.DataFrame(
        {t: [figures.mean(metric, t, task) for task in report.tasks] for t in titles},
        index=list(report.tasks),
        dtype=float,
    )
    complete = table.dropna(axis=1)
    if len(report.tasks) < _FEWEST_TASKS or complete.shape[1] < 2:
        return []
    greater = metric not in LOWER_IS_BETTER
    result = compare(complete, greater_is_better=greater)
    order = sorted(complete.columns, key=lambda title: result.average_ranks[title])
    rows = []
    for i, a in enumerate(order):
        cells = [f"{result.average_ranks[a]:.2f}"]
        for b in order:
            chance = _chance(figures, metric, *((a, b) if greater else (b, a)))
            cells.append("" if a == b else f"{chance:.2f} ({result.pair(a, b).p_holm:.3f})")
        rows.append(Row(f"{i + 1}. {a}", tuple(cells), report.kind(a)))
    left_out = [title for title in titles if title not in complete]
    columns = ("average rank", *(f"{i + 1}." for i in range(len(order))))
    name = heading(metric)
    return [
        Grid(
            f"{name}: who is better over the tasks",
            columns,
            tuple(rows),
            _explanation(result, left_out),
        )
    ]


def _explanation(result: Comparison, left_out: Sequence[str]) -> str:
    note = (
        f"Over {result.n_datasets} tasks, by average rank (1 is best). A cell is the chance that "
        "the row's method is better than the column's: the share of pairs of their seeds, ties "
        "counting half, averaged over the tasks; in brackets p of Wilcoxon's signed ranks on "
        "the means of the tasks, two-sided, after Holm's correction for all pairs. Tasks of one "
        "data set are not independent, which makes p too small."
    )
    if result.friedman_p is not None:
        note += f" Friedman's test of equal ranks: p {result.friedman_p:.2g}."
    if result.note:
        note += f" {result.note}"
    if left_out:
        note += f" Left out, because a task has no result: {', '.join(left_out)}."
    return note


def _chance(figures: Figures, metric: str, a: str, b: str) -> float:
    """Return the probability that a's value is greater than b's; ties count half."""
    shares = []
    for task in figures.report.tasks:
        of_a = np.array([*figures.values(metric, a, task).values()])[:, None]
        of_b = np.array([*figures.values(metric, b, task).values()])
        shares.append(np.mean((of_a > of_b) + 0.5 * (of_a == of_b)))
    return float(np.mean(shares))


def costs(figures: Figures) -> list[Grid]:
    """Return times (of detectors relative to the first one, of others in seconds) and memory."""
    report = figures.report
    methods: dict[str, str] = {}  # one training serves several rows
    for title in (*report.rows, *report.others):
        for task in report.tasks:
            done = figures.finished(title, task)
            if done:
                methods.setdefault(done[0]["method"], title)
    if not methods:
        return []
    costs_by_method = {method: _costs_of(figures, title) for method, title in methods.items()}
    detectors = [method for method, title in methods.items() if title in report.rows]
    rows = []
    for method, title in methods.items():
        if method in detectors:
            first = costs_by_method[detectors[0]]
            times = (*(_ratio(costs_by_method[method][:, i], first[:, i]) for i in range(2)), "")
        else:
            times = ("", "", _range(costs_by_method[method][:, 2]))
        peak = costs_by_method[method][:, 3]
        memory = f"{np.nanmax(peak):,.0f}" if np.isfinite(peak).any() else ""
        rows.append(Row(method, (*times, memory), report.kind(title)))
    note = (
        "Memory is the peak of a process in any cell, including what earlier cells left loaded. "
        "Cells may have run in parallel."
    )
    if detectors:
        fit, score = (_range(costs_by_method[detectors[0]][:, i]) for i in range(2))
        note = (
            f"Detectors' times are multiples of {detectors[0]}'s, geometric mean over the tasks "
            f"that both have. {detectors[0]} needs {fit} s to fit and {score} ms to score 1,000 "
            f"samples. {note}"
        )
    if len(detectors) < len(methods):
        note += (
            " Baselines and third-party detectors fit and score in one call: total seconds, lowest "
            "and highest of any task."
        )
    return [Grid("Costs", ("fit", "scoring", "fit and scoring, s", "peak MiB"), tuple(rows), note)]


def _costs_of(figures: Figures, title: str) -> npt.NDArray[np.float64]:
    """Return, for each task, s to fit, ms to score 1,000 samples, s for all, and peak MiB.

    The first two are missing if fitting and scoring are one call.
    """
    costs_by_task = []
    for task in figures.report.tasks:
        lines = figures.finished(title, task)
        separate = [line for line in lines if pd.notna(line["fit_seconds"])]
        combined = [line for line in lines if pd.isna(line["fit_seconds"])]
        fit = _present(line["fit_seconds"] for line in separate)
        score = _present(1e6 * line["score_seconds"] / line["n_test"] for line in separate)
        both = _present(line["score_seconds"] for line in combined)
        peak = _present(line["peak_mib"] for line in lines)
        means = [fmean(times or [np.nan]) for times in (fit, score, both)]
        costs_by_task.append([*means, max(peak, default=np.nan)])
    return np.array(costs_by_task, dtype=np.float64)


def _present(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values if pd.notna(value)]


def _ratio(times: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> str:
    present = (times > 0) & (reference > 0)  # neither is missing
    if not present.any():
        return ""
    ratio = np.exp(np.mean(np.log(times[present] / reference[present])))
    return f"{ratio:.2g}" if ratio < 100 else f"{ratio:,.0f}"


def _range(times: npt.NDArray[np.float64]) -> str:
    values = _present(times)
    # Three digits, but no exponents.
    digits = 0 if max(values, default=0) >= 100 else 2
    return extent(values, f"{{:,.{digits}f}}") if values else "(not measured)"
