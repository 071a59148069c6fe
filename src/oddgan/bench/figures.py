"""Results of an experiment by metric, row and task, and their text in tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, TypeAlias, cast

import pandas as pd

from oddgan.evaluation.tables import figure, spread

from .report import Report

#: A task's title; None is the mean over all tasks.
Task: TypeAlias = str | None

#: Metrics that tables show, in this order, with their column titles.
LABELS = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "average_precision": "average precision",
    "prevalence": "prev.",
    "fpr_at_95_tpr": "FPR at 95 % TPR",
    "precision": "P own",
    "recall": "R own",
    "f1": "F1 own",
    "fpr": "FPR own",
    "precision_at_rate": "P rate",
    "recall_at_rate": "R rate",
    "f1_at_rate": "F1 rate",
    "oracle_f1": "oracle F1 (chosen on the test labels)",
    "pixel_auroc": "pixel AUROC",
    "pixel_average_precision": "pixel average precision",
    "pixel_prevalence": "pixel prev.",
    "aupro": "AUPRO",
}
#: Metrics of the table of promises, with their column titles.
PROMISED = {
    "fpr_at_1": "FPR, promised 1 %",
    "fpr_at_5": "FPR, promised 5 %",
    "fpr_at_10": "FPR, promised 10 %",
    "fdr_at_10": "FDR, promised 10 %",
    "recall_at_fdr_10": "recall at FDR 10 %",
}
_HEADINGS = {
    "precision": "precision at the model's own threshold",
    "recall": "recall at the model's own threshold",
    "f1": "F1 at the model's own threshold",
    "precision_at_rate": "precision when the known rate is flagged",
    "recall_at_rate": "recall when the known rate is flagged",
    "f1_at_rate": "F1 when the known rate is flagged",
}
MISSING = "–"
FAILED = "failed"


class Figures:
    """The results of one experiment.

    Parameters
    ----------
    report : Report
    frame : DataFrame
        As `results.tidy` gives it, in any order.

    Raises
    ------
    ValueError
        If two lines have the same row, task, faults and seed.
    """

    def __init__(self, report: Report, frame: pd.DataFrame) -> None:
        self.report = report
        duplicates = frame[frame.duplicated(["row", "task", "faults", "seed"])]
        if len(duplicates):
            line = duplicates.iloc[0]
            raise ValueError(
                f"{line['row']} on {line['task']} with seed {line['seed']} has two results: "
                "they are of different experiments"
            )
        self.frame = frame.sort_values(["row", "task", "faults", "seed"], ignore_index=True)
        self.publications = publications(report)
        # Plain values: looking each figure up in the frame would take minutes for large ones.
        self._lines: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        for record in cast("list[dict[str, Any]]", self.frame.to_dict("records")):
            key = (record["row"], record["task"], record["faults"])
            self._lines.setdefault(key, []).append(record)

    def lines(self, row: str, task: str, faults: str = "") -> list[dict[str, Any]]:
        """Return the lines of a row on a task, from cells that finished or failed."""
        return self._lines.get((row, task, faults), [])

    def finished(self, row: str, task: str, faults: str = "") -> list[dict[str, Any]]:
        """Return the lines of a row on a task, from cells that finished."""
        return [line for line in self.lines(row, task, faults) if line["status"] == "done"]

    def values(self, metric: str, row: str, task: Task, faults: str = "") -> dict[int, float]:
        """Return a metric by seed; empty if there is none.

        There is a mean over tasks only if every task has a value. If the tasks have different
        seeds, it is the single mean of their means.
        """
        if task is not None:
            lines = self.finished(row, task, faults)
            return {line["seed"]: line[metric] for line in lines if pd.notna(line.get(metric))}
        by_task = [self.values(metric, row, t, faults) for t in self.report.tasks]
        if not all(by_task):
            return {}
        if all(values.keys() == by_task[0].keys() for values in by_task):
            return {seed: fmean(values[seed] for values in by_task) for seed in by_task[0]}
        return {0: fmean(fmean(values.values()) for values in by_task)}

    def mean(self, metric: str, row: str, task: Task, faults: str = "") -> float | None:
        """Return the mean over seeds; None if there is no value."""
        values = self.values(metric, row, task, faults)
        return fmean(values.values()) if values else None

    def text(self, metric: str, row: str, task: Task, faults: str = "") -> str:
        """Return mean and spread; a dash if not run yet; an empty text if it does not apply."""
        values = self.values(metric, row, task, faults)
        if task is None:
            if values:
                return spread(values.values()) + self._share(row, self.report.tasks, faults)
            texts = [self.text(metric, row, t, faults) for t in self.report.tasks]
            return MISSING if {FAILED, MISSING} & {*texts} and "" not in texts else ""
        planned = (row, task, faults) in self.report.planned
        if planned and not self.finished(row, task, faults):
            return FAILED if self.lines(row, task, faults) else MISSING
        return spread(values.values()) + self._share(row, [task], faults) if values else ""

    def _share(self, row: str, tasks: Sequence[str], faults: str) -> str:
        """Write how many planned seeds finished on the task that lacks most; empty if all did."""
        counts = [
            (len(self.finished(row, task, faults)), self.report.planned.get((row, task, faults), 0))
            for task in tasks
        ]
        done, planned = max(counts, key=lambda count: count[1] - count[0])
        return f" ({done} of {planned})" if done < planned else ""

    def has(self, metric: str, task: Task) -> bool:
        """Return whether any row has the metric on a task."""
        rows = (*self.report.rows, *self.report.others)
        return any(self.values(metric, row, task) for row in rows)

    def planned(self, row: str) -> bool:
        """Return whether a row was planned on any task."""
        return any((row, task, "") in self.report.planned for task in self.report.tasks)

    def seeds(self, row: str) -> str:
        """Write the number of finished seeds of a row, or the lowest and the highest over tasks."""
        tasks = [t for t in self.report.tasks if (row, t, "") in self.report.planned]
        counts = [len(self.finished(row, task)) for task in tasks]
        return extent(counts, "{:d}")


@dataclass(frozen=True)
class Publication:
    """The values that one source gives for one method.

    Attributes
    ----------
    row : str or None
        Title of our row for the same method.
    method, provenance, cite : str
    number : int
        Number of the source, from 1.
    values : dict of (metric, task) to list of records
    """

    row: str | None
    method: str
    provenance: str
    cite: str
    number: int
    values: dict[tuple[str, Task], list[Mapping[str, Any]]] = field(default_factory=dict)

    def record(self, metric: str, task: Task, figures: Figures) -> Mapping[str, Any] | None:
        """Return the published record for a task, or for the mean over exactly these tasks.

        If no such mean was printed, it is computed from the values of the tasks, provided that
        the tasks are exactly the classes of the printed table, and marked as ``ours``.
        """
        if task is not None:
            return next(iter(self.values.get((metric, task), [])), None)
        means = [record for record in self.means(metric) if record["whole"]]
        if len(means) == 1:
            return means[0]
        tasks = figures.report.tasks
        records = [self.record(metric, t, figures) for t in tasks]
        usable = [record for record in records if record is not None and record["whole"]]
        if means or len(usable) < len(tasks):
            return None
        mean = fmean(record["value"] for record in usable)
        return {**usable[0], "value": mean, "sd": None, "ours": True}

    def means(self, metric: str) -> list[Mapping[str, Any]]:
        """Return all printed means over classes."""
        return self.values.get((metric, None), [])


def publications(report: Report) -> list[Publication]:
    """Group the published records by method, provenance and source, in their order."""
    sources: dict[str, int] = {}
    by_key: dict[tuple[Any, ...], Publication] = {}
    for record in report.published:
        number = sources.setdefault(record["cite"], len(sources) + 1)
        key = (record["row"], record["method"], record["provenance"], record["cite"])
        publication = by_key.setdefault(key, Publication(*key, number))
        publication.values.setdefault((record["metric"], record["task"]), []).append(record)
    return list(by_key.values())


def heading(metric: str) -> str:
    """Return the title of a metric's table."""
    label = _HEADINGS.get(metric, {**LABELS, **PROMISED}.get(metric, metric))
    return label[0].upper() + label[1:]


def printed_figure(record: Mapping[str, Any]) -> str:
    """Write a published value with as many decimals as printed."""
    text = _plain(record["value"], record["decimals"])
    if record["sd"] is not None:
        text += f" ±{_plain(record['sd'], record['decimals'])}"
    return text + (" (our mean)" if record.get("ours") else "")


def extent(values: Sequence[float], form: str | None = None) -> str:
    """Write one value, or the smallest and the largest; four decimals by default."""
    texts = [figure(v) if form is None else form.format(v) for v in (min(values), max(values))]
    return texts[0] if texts[0] == texts[1] else "–".join(texts)


def _plain(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".removeprefix("0")
