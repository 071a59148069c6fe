"""Progress of a run of many cells, with the time that is left."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .spec import Cell


class Silent:
    """Says nothing."""

    def start(self, cells: Sequence[Cell], done: Sequence[Cell], jobs: int) -> None:
        """Begin."""

    def finished(self, cell: Cell, result: dict[str, Any], seconds: float) -> None:
        """Report that the result of a cell is on disk."""

    def stop(self) -> None:
        """End."""


class Bar:
    """A bar on standard error, a line for each failure, and the time left.

    A cell takes as long as the same method took on the same task with other seeds, or else on
    other tasks, or else as the mean of all that are known.
    """

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("[dim]{task.fields[last]}"),
            console=self._console,
        )
        self._told: set[str] = set()
        self._known: dict[tuple[str, ...], list[float]] = defaultdict(list)

    def start(self, cells: Sequence[Cell], done: Sequence[Cell], jobs: int) -> None:
        """Show the bar."""
        self._todo = [cell for cell in cells if cell not in done]
        self._jobs = jobs
        if done:
            self._console.print(f"{len(done)} of {len(cells)} cells were measured before.")
        self._task = self._bar.add_task(
            "cells", total=len(cells), completed=len(done), left="", last=""
        )
        self._bar.start()

    def finished(self, cell: Cell, result: dict[str, Any], seconds: float) -> None:
        """Move the bar; say it if the cell failed."""
        self._todo.remove(cell)
        for key in _likeness(cell):
            self._known[key].append(seconds)
        name = f"{cell.task.title}, {cell.method.title}, seed {cell.seed}"
        if result["status"] == "failed":
            said = "for the same reason" if result["error"] in self._told else result["error"]
            self._told.add(result["error"])
            self._console.print(escape(f"failed: {name}: {said}"))
        left = duration(sum(map(self._expected, self._todo)) / self._jobs)
        self._bar.update(self._task, advance=1, left=f"about {left} left", last=name)

    def stop(self) -> None:
        """Leave the bar as it is and continue below it."""
        self._bar.stop()

    def _expected(self, cell: Cell) -> float:
        known = next(self._known[key] for key in _likeness(cell) if key in self._known)
        return sum(known) / len(known)


def _likeness(cell: Cell) -> list[tuple[str, ...]]:
    """Return what a cell has in common with others, the most telling first."""
    return [(cell.task.title, cell.method.title), (cell.method.title,), ()]


def duration(seconds: float) -> str:
    """Write a time with one figure that matters: "40 s", "12 min", "3.5 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
