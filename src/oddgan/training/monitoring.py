"""Monitoring of a run: the history of its losses, when to give up, and the progress bar."""

import sys
from collections.abc import Mapping
from math import isfinite, log
from typing import Any, Protocol

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
from torch import Tensor


class TrainingError(RuntimeError):
    """Training cannot continue; the message says which loss failed, when, and what to try."""


#: A discriminator with a lower mean loss separates real from generated samples almost perfectly
#: (GANomaly's official code restarts its discriminator at the same value).
SATURATED = 1e-5
#: A discriminator whose loss stays this close to that of a coin flip outputs a constant.
CONSTANT = 1e-6
#: Training steps that a collapse must last before it counts as one.
PATIENCE = 200


class Watch:
    """Mean losses between reports, and a check for collapse at each report.

    Parameters
    ----------
    title : str
        Name of the run in messages.
    every : int
        Training steps between two reports.
    """

    def __init__(self, title: str, every: int) -> None:
        self.title = title
        self.every = every
        self.history: list[dict[str, float]] = []
        self.of_members: list[tuple[int, dict[str, list[float]]]] = []
        self.judgements: list[tuple[int, dict[str, list[float]]]] = []
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._judged: dict[str, Tensor] = {}
        self._reported = 0
        self._collapsed: dict[str, list[int]] = {}

    def add(self, name: str, value: Tensor, judged: Tensor | None) -> None:
        """Add a loss, without waiting until the device has computed it.

        `value` is a scalar, or has one number for each member. `judged` is the loss that a
        discriminator is judged by, in the same shape; None for any other loss.
        """
        if judged is not None:
            self._collapsed.setdefault(name, [0] * judged.numel())
            self._judged[name] = self._judged[name] + judged if name in self._judged else judged
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def due(self, step: int) -> bool:
        """Return whether to report after training step `step`."""
        return step - self._reported >= self.every

    def report(self, step: int) -> dict[str, float]:
        """Return the mean losses since the last report.

        Raises
        ------
        TrainingError
            A loss is not finite, or a discriminator has collapsed.
        """
        n = step - self._reported
        means = {
            name: float(total.mean()) / self._counts[name] for name, total in self._sums.items()
        }
        for name, mean in means.items():
            if not isfinite(mean):
                raise TrainingError(
                    f"{self.title}: the {name} loss became {mean} between training steps "
                    f"{self._reported + 1} and {step}; try a lower learning_rate"
                )
        judgements = {name: self._means(name, total) for name, total in self._judged.items()}
        for name, means_of_members in judgements.items():
            for k, mean in enumerate(means_of_members):
                self._judge(name, k, mean, n, step)
        self.history.append({"step": step, **means})
        of_members = {
            name: self._means(name, total) for name, total in self._sums.items() if total.ndim
        }
        if of_members:
            self.of_members.append((step, of_members))
        if judgements:
            self.judgements.append((step, judgements))
        self._sums, self._counts, self._judged = {}, {}, {}
        self._reported = step
        return means

    def _means(self, name: str, total: Tensor) -> list[float]:
        """Return the mean of each member since the last report."""
        return [sum_of_member / self._counts[name] for sum_of_member in total.reshape(-1).tolist()]

    def _judge(self, name: str, k: int, mean: float, n: int, step: int) -> None:
        saturated = mean < SATURATED
        constant = abs(mean - 2 * log(2)) < CONSTANT
        steps = self._collapsed[name]
        steps[k] = steps[k] + n if saturated or constant else 0
        if steps[k] >= PATIENCE:
            reason = (
                "separated real from generated samples almost perfectly"
                if saturated
                else "output a constant"
            )
            member = f" of member {k}" if len(steps) > 1 else ""
            raise TrainingError(
                f"{self.title}: the {name}{member} has collapsed: in the {steps[k]} training steps "
                f"up to {step} it {reason} (mean loss {mean:.2g}); try a lower learning_rate, "
                "another scaling or fewer epochs"
            )

    def to_state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "history": self.history,
            "of_members": self.of_members,
            "judgements": self.judgements,
            "sums": self._sums,
            "counts": self._counts,
            "judged": self._judged,
            "reported": self._reported,
            "collapsed": self._collapsed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        self.history = state["history"]
        self.of_members = state.get("of_members", [])
        self.judgements = state["judgements"]
        self._sums = state["sums"]
        self._counts = state["counts"]
        self._judged = state["judged"]
        self._reported = state["reported"]
        self._collapsed = state["collapsed"]


class Progress(Protocol):
    """Listener to a training run."""

    def start(self, title: str, total: int, done: int) -> None:
        """Begin a run of `total` training steps; `done` of them were completed before."""

    def update(self, step: int, losses: Mapping[str, float]) -> None:
        """Report that `step` training steps are complete, with the latest mean losses."""

    def stop(self) -> None:
        """End the run, successful or not."""


class Silent:
    """Progress that shows nothing."""

    def start(self, title: str, total: int, done: int) -> None:
        """Begin a run."""

    def update(self, step: int, losses: Mapping[str, float]) -> None:
        """Report that `step` training steps are complete."""

    def stop(self) -> None:
        """End the run."""


class RichProgress:
    """A progress bar on standard error with the losses and the remaining time."""

    def __init__(self) -> None:
        def whole() -> Column:  # in a narrow terminal the losses wrap, and no number is cut
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
        """Leave the bar as it is and continue below it."""
        self._bar.stop()
