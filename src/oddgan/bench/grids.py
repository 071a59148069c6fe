"""Tables of the figures: headline metrics by task, bootstrap intervals, all metrics."""

from collections.abc import Sequence

import pandas as pd

from oddgan.evaluation.metrics import METRICS

from .figures import LABELS, PROMISED, Figures, Publication, Task, extent, heading, printed_figure
from .report import Grid, Row

MEAN = "mean over tasks"
# Metrics whose value for a score without information is the share of anomalies.
_CHANCE = {
    "auprc": "prevalence",
    "average_precision": "prevalence",
    "pixel_average_precision": "pixel_prevalence",
}
_MOST_TASKS_APART = 3


def headline(figures: Figures) -> list[Grid]:
    """Return a table for each headline metric: rows by tasks, published values below ours."""
    report = figures.report
    tasks: list[Task] = list(report.tasks)
    if len(tasks) > 1:
        tasks.append(None)
    return [
        Grid(
            heading(metric),
            (*(MEAN if task is None else task for task in tasks), "seeds"),
            (
                *_body(figures, [(metric, task) for task in tasks], with_seeds=True),
                *_elsewhere(figures, metric, tasks),
                *_chance(figures, metric, tasks),
            ),
            f"{METRICS.get(metric, '')} Mean over seeds ± sample standard deviation.".strip(),
        )
        for metric in report.headline
    ]


def _body(
    figures: Figures, columns: Sequence[tuple[str, Task]], *, with_seeds: bool = False
) -> list[Row]:
    """Return our rows, published ones below them, then baselines and third-party detectors.

    Each column is a metric on a task; `with_seeds` adds the number of seeds as the last one.
    """
    report = figures.report
    rows: list[Row] = []
    for title in (*report.rows, *report.others):
        if not figures.planned(title):
            continue
        if title in report.others and not any(row.kind == "baseline" for row in rows):
            rows.append(Row("baselines and third-party detectors", kind="heading"))
        cells = [figures.text(metric, title, task) for metric, task in columns]
        seeds = [figures.seeds(title)] if with_seeds else []
        rows.append(Row(title, (*cells, *seeds), report.kind(title)))
        published = (
            _published(figures, p, columns, with_seeds=with_seeds)
            for p in figures.publications
            if p.row == title
        )
        rows += [row for row in published if row is not None]
    return rows


def _published(
    figures: Figures,
    publication: Publication,
    columns: Sequence[tuple[str, Task]],
    *,
    with_seeds: bool,
    name: str = "published",
) -> Row | None:
    """Return the line of a source; None if it has no value for these columns."""
    records = [publication.record(metric, task, figures) for metric, task in columns]
    label = f"{name} ({publication.provenance}) [{publication.number}]"
    # In a table of one metric the title holds printed means that fit no column.
    means = publication.means(columns[0][0]) if with_seeds else []
    other_means = [
        f"mean over {record['over']} classes of {record['data']} printed: {printed_figure(record)}"
        for record in means
        if record not in records
    ]
    label = "; ".join([label, *other_means])
    if not (any(records) or other_means):
        return None
    cells = ["" if record is None else printed_figure(record) for record in records]
    return Row(label, (*cells, *([""] if with_seeds else [])), "published")


def _elsewhere(figures: Figures, metric: str, tasks: Sequence[Task]) -> list[Row]:
    """Return published rows of methods that were not run here."""
    our_rows = {*figures.report.rows, *figures.report.others}
    columns = [(metric, task) for task in tasks]
    candidates = [
        _published(figures, p, columns, with_seeds=True, name=p.method)
        for p in figures.publications
        if p.row not in our_rows
    ]
    rows = [row for row in candidates if row is not None]
    return [Row("published, not run here", kind="heading"), *rows] if rows else []


def _chance(figures: Figures, metric: str, tasks: Sequence[Task]) -> list[Row]:
    """Return the prevalence row: the metric of a score without information."""
    name = _CHANCE.get(metric)
    frame = figures.frame[(figures.frame["faults"] == "") & (figures.frame["status"] == "done")]
    if name is None or name not in frame:
        return []
    by_task = {task: lines[name].dropna() for task, lines in frame.groupby("task", observed=True)}
    cells, means = [], []
    for task in figures.report.tasks:
        values = by_task.get(task, pd.Series(dtype=float))
        cells.append(extent(list(values)) if len(values) else "")
        means.append(values.mean())
    if None in tasks:
        complete = all(cells)
        cells.append(extent([sum(means) / len(means)]) if complete else "")
    return [Row("prevalence", (*cells, ""), "prevalence")] if any(cells) else []


def intervals(figures: Figures, metric: str) -> list[Grid]:
    """Return the table of a metric's bootstrap intervals, if it has any."""
    report, low, high = figures.report, f"{metric}_low", f"{metric}_high"
    if not {low, high} <= {*figures.frame.columns} or figures.frame[low].isna().all():
        return []
    rows = []
    for title in (*report.rows, *report.others):
        bounds = [(figures.mean(low, title, t), figures.mean(high, title, t)) for t in report.tasks]
        cells = [
            "" if a is None or b is None else f"{extent([a])} to {extent([b])}" for a, b in bounds
        ]
        if any(cells):
            rows.append(Row(title, tuple(cells), report.kind(title)))
    note = (
        "95 % percentile bootstrap over the test samples, mean over seeds of the lower and of the "
        "upper bounds: what another draw of test samples would change, not another training."
    )
    return [Grid(f"{heading(metric)}: intervals", report.tasks, tuple(rows), note)]


def promises(figures: Figures) -> list[Grid]:
    """Return the table of promised and observed error rates, if there are any."""
    report = figures.report
    metrics = [m for m in PROMISED if any(figures.has(m, task) for task in report.tasks)]
    rows: list[Row] = []
    for task in report.tasks:
        of_task = [
            Row(title, tuple(_bounded(figures, m, title, task) for m in metrics))
            for title in report.rows
            if any(figures.values(m, title, task) for m in metrics)
        ]
        rows += (
            [Row(task, kind="heading"), *of_task] if of_task and len(report.tasks) > 1 else of_task
        )
    note = (
        "Mean over seeds ± sample standard deviation, and the mean bounds of the 95 % Wilson "
        "interval of one run: what another draw of test samples would change. The threshold itself "
        "comes from a finite held-out sample, which the spread over seeds shows. Empty: too few "
        "held-out samples for the promise, or none flagged."
    )
    columns = tuple(PROMISED[metric] for metric in metrics)
    return [Grid("Promises kept", columns, tuple(rows), note)] if rows else []


def _bounded(figures: Figures, metric: str, title: str, task: Task) -> str:
    """Return mean and spread of a metric, and its mean bounds."""
    text = figures.text(metric, title, task)
    low, high = (figures.mean(f"{metric}_{side}", title, task) for side in ("low", "high"))
    return text if low is None or high is None else f"{text} ({extent([low])} to {extent([high])})"


def all_metrics(figures: Figures) -> list[Grid]:
    """Return tables of every metric: one per task if tasks are few, else the mean over tasks."""
    tasks: Sequence[Task] = figures.report.tasks
    if len(tasks) > _MOST_TASKS_APART:
        tasks = [None]
    grids = []
    for task in tasks:
        metrics = [m for m in LABELS if figures.has(m, task)]
        rows = _body(figures, [(metric, task) for metric in metrics])
        if metrics:
            columns = tuple(LABELS[metric] for metric in metrics)
            grids.append(Grid(f"All metrics: {task or MEAN}", columns, tuple(rows)))
    return grids
