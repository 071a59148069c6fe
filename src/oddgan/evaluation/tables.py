"""Results as tables for the terminal and in Markdown."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich import box
from rich.table import Table

from oddgan.evaluation.metrics import Metrics

# Rows of a table: a name and one result per seed.
Rows = Sequence[tuple[str, Sequence[Metrics]]]

# Rows of a table of intervals: a name and, for each seed, the bounds of each metric.
Interval = tuple[float, float]
IntervalRows = Sequence[tuple[str, Sequence[Mapping[str, Interval]]]]

# Prevalence follows AUPRC because it is the AUPRC of a score without information. The best F1 on
# the test labels has no column: it is not a result.
_COLUMNS = {
    "AUROC": "auroc",
    "AUPRC": "auprc",
    "prev.": "prevalence",
    "P own": "precision",
    "R own": "recall",
    "F1 own": "f1",
    "FPR own": "fpr",
    "P rate": "precision_at_rate",
    "R rate": "recall_at_rate",
    "F1 rate": "f1_at_rate",
}
_GROUPS = {
    "P own": "own P    R    F1",
    "R own": "own P    R    F1",
    "F1 own": "own P    R    F1",
    "P rate": "rate P    R    F1",
    "R rate": "rate P    R    F1",
    "F1 rate": "rate P    R    F1",
}
_LEGEND = (
    "prev.: share of anomalies, the AUPRC of a score without information; own: at the model's own "
    "threshold; rate: flagging the known rate; P, R: precision, recall; ±: standard deviation "
    "over seeds."
)

_INTERVALS = ("AUROC", "AUPRC", "F1 own", "F1 rate")
#: The metrics that a table of intervals shows.
INTERVAL_METRICS = tuple(_COLUMNS[column] for column in _INTERVALS)
_INTERVAL_LEGEND = (
    "Bootstrap over the test samples: what another draw of them would change, not another "
    "training. Means of the bounds over seeds."
)


def results_table(rows: Rows, title: str | None = None) -> Table:
    """Build the table for the terminal.

    Parameters
    ----------
    rows : sequence of (name, sequence of Metrics)
        One `Metrics` per seed. The table shows the mean, and the sample standard deviation below
        it if there are several seeds. Missing values are dashes.
    title : str, optional

    Returns
    -------
    rich.table.Table
        It fits 80 columns: metrics at the same threshold share one column.
    """
    header = _header(rows)
    groups: dict[str, list[str]] = {}
    for column in header:
        groups.setdefault(_GROUPS.get(column, column), []).append(column)
    table = Table(
        title=title,
        caption=_LEGEND,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    table.add_column("", overflow="fold")
    for group in groups:
        table.add_column(group, justify="right", no_wrap=True)
    for name, metrics in rows:
        cells = dict(zip(header, _cells(metrics, header), strict=True))
        table.add_row(name, *(_stacked([cells[c] for c in g]) for g in groups.values()))
    return table


def _stacked(cells: list[str]) -> str:
    """Write the means side by side, and their spreads below."""
    parts = [cell.partition(" ") for cell in cells]
    means = " ".join(f"{mean:>5}" for mean, _, _ in parts)
    spreads = " ".join(f"{spread:>5}" for _, _, spread in parts)
    return f"{means}\n{spreads}" if spreads.strip() else means


def markdown_table(rows: Rows) -> str:
    """Write the table as Markdown; parameters as in `results_table`."""
    header = _header(rows)
    lines = [["method", *header], ["---", *["---:"] * len(header)]]
    lines += [[name, *_cells(metrics, header)] for name, metrics in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{_LEGEND}\n"


def intervals_table(rows: IntervalRows) -> Table:
    """Build the table of intervals for the terminal; it fits 80 columns.

    Parameters
    ----------
    rows : sequence of (name, sequence of dict)
        One `bootstrap_intervals` per seed. The table shows the means of the lower and of the upper
        bounds. Missing values are dashes; metrics that no row has are left out.
    """
    header = _interval_header(rows)
    table = Table(
        caption=_INTERVAL_LEGEND,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    table.add_column("95 % intervals", overflow="fold")
    for column in header:
        table.add_column(column, justify="right", no_wrap=True)
    for name, intervals in rows:
        table.add_row(name, *_bounds(intervals, header))
    return table


def markdown_intervals(rows: IntervalRows) -> str:
    """Write the table of intervals as Markdown; parameters as in `intervals_table`."""
    header = _interval_header(rows)
    lines = [["95 % intervals", *header], ["---", *["---:"] * len(header)]]
    lines += [[name, *_bounds(intervals, header)] for name, intervals in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{_INTERVAL_LEGEND}\n"


def _interval_header(rows: IntervalRows) -> list[str]:
    metrics = {metric for _, intervals in rows for by_metric in intervals for metric in by_metric}
    return [column for column in _INTERVALS if _COLUMNS[column] in metrics]


def _bounds(intervals: Sequence[Mapping[str, Interval]], header: list[str]) -> list[str]:
    cells = []
    for column in header:
        metric = _COLUMNS[column]
        bounds = [by_metric[metric] for by_metric in intervals if metric in by_metric]
        ends = [figure(float(end)) for end in np.mean(bounds, axis=0)] if bounds else ["–"]
        cells.append(" to ".join(ends))
    return cells


def _header(rows: Rows) -> list[str]:
    """Leave out columns that no row has, such as metrics at a threshold for baselines alone."""
    results = [m for _, metrics in rows for m in metrics]
    return [
        column
        for column, field in _COLUMNS.items()
        if any(getattr(m, field) is not None for m in results)
    ]


def _cells(metrics: Sequence[Metrics], header: list[str]) -> list[str]:
    return [spread([getattr(m, _COLUMNS[column]) for m in metrics]) for column in header]


def spread(values: Iterable[float | None]) -> str:
    """Write the mean, and the sample standard deviation if there are several values."""
    present = [value for value in values if value is not None]
    if not present:
        return "–"
    mean = figure(float(np.mean(present)))
    if len(present) == 1:
        return mean
    return f"{mean} ±{float(np.std(present, ddof=1)):.3f}".replace("±0", "±")


def figure(value: float) -> str:
    """Write four decimals without the leading zero, as the papers' tables do."""
    return f"{value:.4f}".removeprefix("0")
