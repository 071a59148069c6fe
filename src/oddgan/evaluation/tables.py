"""Results as a table: on the terminal and in Markdown, from the same cells."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from oddgan.evaluation.metrics import Metrics

# Rows of a table: a name and one result per seed.
Rows = Sequence[tuple[str, Sequence[Metrics]]]

# Prevalence stands beside AUPRC because it is what AUPRC is without information. "own" is the
# model's own threshold, "rate" the known rate, "oracle" the best threshold on the test labels.
_COLUMNS = {
    "AUROC": "auroc",
    "AUPRC": "auprc",
    "prevalence": "prevalence",
    "P own": "precision",
    "R own": "recall",
    "F1 own": "f1",
    "FPR own": "fpr",
    "P rate": "precision_at_rate",
    "R rate": "recall_at_rate",
    "F1 rate": "f1_at_rate",
    "F1 oracle": "oracle_f1",
}


def results_table(rows: Rows, title: str | None = None) -> Table:
    """Build the table for the terminal.

    Parameters
    ----------
    rows : sequence of (name, sequence of Metrics)
        One `Metrics` per seed; shown is the mean, with the sample standard deviation where
        there are several. A figure that a row has not got is shown as a dash.
    title : str, optional

    Returns
    -------
    rich.table.Table
    """
    table = Table("", *_header(rows), title=title)
    for name, metrics in rows:
        table.add_row(name, *_cells(metrics, _header(rows)))
    return table


def markdown_table(rows: Rows) -> str:
    """Write the table as Markdown; parameters as in `results_table`."""
    header = ["method", *_header(rows)]
    lines = [header, ["---"] + ["---:"] * (len(header) - 1)]
    lines += [[name, *_cells(metrics, _header(rows))] for name, metrics in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _header(rows: Rows) -> list[str]:
    """Leave out what no row has, such as figures at a threshold when only baselines are shown."""
    every = [m for _, metrics in rows for m in metrics]
    return [c for c, field in _COLUMNS.items() if any(getattr(m, field) is not None for m in every)]


def _cells(metrics: Sequence[Metrics], header: list[str]) -> list[str]:
    return [_cell([getattr(m, _COLUMNS[column]) for m in metrics]) for column in header]


def _cell(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = f"{np.mean(known):.4f}"
    return mean if len(known) == 1 else f"{mean} ± {np.std(known, ddof=1):.4f}"
