"""Progress of a fit: what is told to a person who waits."""

import sys
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as RichBar,
)
from rich.table import Column


class Progress(Protocol):
    """Listener to a training run."""

    def start(self, title: str, total: int, done: int) -> None:
        """Begin a run of `total` rounds, of which `done` were done before."""

    def update(self, step: int, losses: Mapping[str, float]) -> None:
        """Report that `step` rounds are done, with the mean losses of the latest ones."""

    def stop(self) -> None:
        """End the run, however it went."""


class Silent:
    """Says nothing."""

    def start(self, title: str, total: int, done: int) -> None:
        """Begin a run."""

    def update(self, step: int, losses: Mapping[str, float]) -> None:
        """Report that `step` rounds are done."""

    def stop(self) -> None:
        """End the run."""


class RichProgress:
    """A bar on standard error with the losses and the time left."""

    def __init__(self) -> None:
        def whole() -> Column:  # in a narrow terminal the losses wrap, and no figure is cut
            return Column(no_wrap=True)

        self._bar = RichBar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(table_column=whole()),
            TimeElapsedColumn(table_column=whole()),
            TextColumn("left"),
            TimeRemainingColumn(table_column=whole()),
            TextColumn("{task.fields[losses]}", table_column=Column()),
            console=Console(file=sys.stderr),
        )

    def start(self, title: str, total: int, done: int) -> None:
        """Show the bar."""
        self._task = self._bar.add_task(title, total=total, completed=done, losses="")
        self._bar.start()

    def update(self, step: int, losses: Mapping[str, float]) -> None:
        """Move the bar and show the losses."""
        text = "  ".join(f"{name}={value:.3g}" for name, value in losses.items())
        self._bar.update(self._task, completed=step, losses=text)

    def stop(self) -> None:
        """Leave the bar as it is and go on below it."""
        self._bar.stop()
