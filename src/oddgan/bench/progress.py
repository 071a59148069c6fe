"""Progress of a run, with an estimate of the remaining time."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .spec import Cell


class Silent:
    """Shows nothing."""

    def start(self, cells: Sequence[Cell], done: Sequence[Cell], jobs: int) -> None:
        """Begin."""

    def finished(self, cell: Cell, result: dict[str, Any], seconds: float) -> None:
        """Report that the result of a cell is on disk."""

    def stop(self) -> None:
        """End."""


class Bar:
    """Shows a bar and the time left on standard error, and a line for each failure.

    The estimate for a cell is the mean time of the same method on the same task; without one, of
    the same method; without one, of all cells.
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
        self._reported_errors: set[str] = set()
        self._seconds: dict[tuple[str, ...], list[float]] = defaultdict(list)

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
        """Advance the bar, and report a failure."""
        self._todo.remove(cell)
        for key in _groups(cell):
            self._seconds[key].append(seconds)
        name = f"{cell.task.title}, {cell.method.title}, seed {cell.seed}"
        if result["status"] == "failed":
            error = result["error"]
            reason = "for the same reason" if error in self._reported_errors else error
            self._reported_errors.add(error)
            self._console.print(escape(f"failed: {name}: {reason}"))
        remaining = duration(sum(map(self._expected, self._todo)) / self._jobs)
        self._bar.update(self._task, advance=1, left=f"about {remaining} left", last=name)

    def stop(self) -> None:
        """Leave the bar as it is and continue below it."""
        self._bar.stop()

    def _expected(self, cell: Cell) -> float:
        times = next(self._seconds[key] for key in _groups(cell) if key in self._seconds)
        return sum(times) / len(times)


def _groups(cell: Cell) -> list[tuple[str, ...]]:
    """Return the groups of similar cells that a cell belongs to, the most similar first."""
    return [(cell.task.title, cell.method.title), (cell.method.title,), ()]


def duration(seconds: float) -> str:
    """Write a time in a fitting unit: "40 s", "12 min", "3.5 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
