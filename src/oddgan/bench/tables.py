"""Results as tables: from an experiment and its tidy table to tables as data or as text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape

import pandas as pd
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .figures import Figures
from .grids import all_metrics, headline, intervals, promises
from .remarks import opening, sections
from .report import Grid, Report
from .studies import comparison, costs, faults

# The most columns that fit 80 characters: with spreads below the means, and beside them.
_MOST_COLUMNS = 8
_MOST_ON_ONE_LINE = 4
# Number of columns before those of the faults.
_COMMON = 4


def tables(report: Report, frame: pd.DataFrame) -> list[Grid]:
    """Return all tables: quality first, then costs.

    Parameters
    ----------
    report : Report
    frame : DataFrame
        A table from `results.tidy`.

    Raises
    ------
    ValueError
        If the frame has results of different experiments.
    """
    return [*quality(report, frame), *costs(Figures(report, frame))]


def quality(report: Report, frame: pd.DataFrame) -> list[Grid]:
    """Return the tables without times: equal results give equal tables in any run."""
    figures = Figures(report, frame)
    return [
        *headline(figures),
        *(grid for metric in report.headline for grid in faults(figures, metric)),
        *intervals(figures, report.headline[0]),
        *promises(figures),
        *all_metrics(figures),
        *(grid for metric in report.headline for grid in comparison(figures, metric)),
    ]


def markdown(report: Report, frame: pd.DataFrame) -> str:
    """Write all tables with their notes as Markdown.

    Parameters
    ----------
    report : Report
    frame : DataFrame
        A table from `results.tidy`.
    """
    parts = [f"# {_plain(report.title)}", *map(_plain, opening(report))]
    for grid in tables(report, frame):
        parts += [f"## {_plain(grid.title)}", _markdown_table(grid), _plain(grid.note)]
    for section in sections(report, frame):
        if section.code:
            lines = "\n".join(section.lines)
            body = f"```\n{lines}\n```"
        else:
            body = "\n".join(f"- {_plain(line)}" for line in section.lines)
        parts += [f"## {section.title}", body]
    return "\n\n".join(part for part in parts if part) + "\n"


def terminal(report: Report, frame: pd.DataFrame) -> Group:
    """Return the headline tables for the terminal, 80 characters wide if titles are short.

    Spreads are below the means unless there are few columns. With more than eight columns only the
    mean over tasks and the seeds are shown. A table for each fault that was switched on follows.
    """
    figures = Figures(report, frame)
    grids = headline(figures)
    by_fault = [
        grid for metric in report.headline for grid in _one_grid_per_fault(faults(figures, metric))
    ]
    # Only the last one has the explanation.
    grids += [*(replace(grid, note="") for grid in by_fault[:-1]), *by_fault[-1:]]
    return Group(*map(_terminal_table, grids))


def _one_grid_per_fault(grids: Sequence[Grid]) -> Iterator[Grid]:
    """Yield a table for each fault: the common columns, then the two of the fault."""
    for grid in grids:
        for i in range(_COMMON, len(grid.columns), 2):
            rows = [
                replace(row, cells=(*row.cells[:_COMMON], *row.cells[i : i + 2]))
                for row in grid.rows
                if any(row.cells[i : i + 2])
            ]
            columns = (*grid.columns[:_COMMON], *grid.columns[i : i + 2])
            yield replace(grid, columns=columns, rows=tuple(rows))


def _markdown_table(grid: Grid) -> str:
    lines = [["", *map(_cell, grid.columns)], ["---", *["---:"] * len(grid.columns)]]
    for row in grid.rows:
        mark = {"heading": "**", "published": "*", "prevalence": "*"}.get(row.kind, "")
        cells = [_cell(text) for text in (row.title, *row.cells)]
        cells += [""] * (len(grid.columns) + 1 - len(cells))
        lines.append([f"{mark}{text}{mark}" if text else "" for text in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("*", "\\*")


def _plain(text: str) -> str:
    """Escape HTML, and join lines."""
    return escape(" ".join(text.split()), quote=False)


def _terminal_table(grid: Grid) -> Table:
    columns, note = range(len(grid.columns)), grid.note
    if len(columns) > _MOST_COLUMNS:
        note += f" {len(columns) - 2} tasks: each is in the report."
        columns = columns[-2:]
    table = Table(
        title=Text(grid.title),
        caption=Text(note),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column("", overflow="fold")
    for i in columns:
        table.add_column(Text(grid.columns[i]), justify="right", overflow="fold")
    separator = "\n" if len(columns) > _MOST_ON_ONE_LINE else " "
    for row in grid.rows:
        cells = [row.cells[i] for i in columns] if row.cells else []
        if any(row.cells) and not any(cells):
            continue  # its cells are in columns that are not shown
        style = {"heading": "bold", "published": "italic", "prevalence": "italic"}.get(row.kind, "")
        indent = "  " if row.kind in ("baseline", "published") else ""
        texts = [Text(re.sub(" (?=[±(])", separator, cell, count=1)) for cell in cells]
        table.add_row(Text(indent + row.title), *texts, style=style)
    return table
