"""The watch over a run: the history of its losses, and when to give up."""

from math import isfinite, log
from typing import Any

from torch import Tensor


class TrainingError(RuntimeError):
    """Training cannot go on; the message says which loss, when, and what to try."""


#: A discriminator with a lower mean loss tells the two sides apart without a doubt (GANomaly's
#: official code starts its discriminator anew at the same value).
SATURATED = 1e-5
#: A discriminator whose loss is this close to that of a coin, always, answers a constant.
CONSTANT = 1e-6
#: Rounds that a collapse must last before it counts as one.
PATIENCE = 200


class Watch:
    """Means of the losses between two reports, and a judgement at each.

    Parameters
    ----------
    title : str
        What the run is called in messages.
    every : int
        Rounds between two reports.
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
        """Take in a loss, without waiting for the device to have computed it.

        `value` is a scalar, or has one number for each member. `judged` is what an adversary is
        judged by, in the same shape; None if it is no adversary's.
        """
        if judged is not None:
            self._collapsed.setdefault(name, [0] * judged.numel())
            self._judged[name] = self._judged[name] + judged if name in self._judged else judged
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def due(self, step: int) -> bool:
        """Return whether to report after round `step`."""
        return step - self._reported >= self.every

    def report(self, step: int) -> dict[str, float]:
        """Return the mean losses since the last report.

        Raises
        ------
        TrainingError
            One is not finite, or a discriminator has collapsed.
        """
        n = step - self._reported
        means = {
            name: float(total.mean()) / self._counts[name] for name, total in self._sums.items()
        }
        for name, mean in means.items():
            if not isfinite(mean):
                raise TrainingError(
                    f"{self.title}: the {name} loss became {mean} between rounds "
                    f"{self._reported + 1} and {step}; try a lower learning_rate"
                )
        judged = {name: self._means(name, total) for name, total in self._judged.items()}
        for name, means_of_members in judged.items():
            for k, mean in enumerate(means_of_members):
                self._judge(name, k, mean, n, step)
        self.history.append({"step": step, **means})
        each = {name: self._means(name, total) for name, total in self._sums.items() if total.ndim}
        if each:
            self.of_members.append((step, each))
        if judged:
            self.judgements.append((step, judged))
        self._sums, self._counts, self._judged = {}, {}, {}
        self._reported = step
        return means

    def _means(self, name: str, total: Tensor) -> list[float]:
        """Return the mean of each member, since the last report."""
        return [summed / self._counts[name] for summed in total.reshape(-1).tolist()]

    def _judge(self, name: str, k: int, mean: float, n: int, step: int) -> None:
        saturated = mean < SATURATED
        constant = abs(mean - 2 * log(2)) < CONSTANT
        rounds = self._collapsed[name]
        rounds[k] = rounds[k] + n if saturated or constant else 0
        if rounds[k] >= PATIENCE:
            how = "tells real from generated without a doubt" if saturated else "answers a constant"
            whose = f" of member {k}" if len(rounds) > 1 else ""
            raise TrainingError(
                f"{self.title}: the {name}{whose} has collapsed: for the {rounds[k]} rounds "
                f"up to {step} it {how} (mean loss {mean:.2g}); try a lower learning_rate, "
                "another scaling or fewer epochs"
            )

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
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
        """Go on from `state`."""
        self.history = state["history"]
        self.of_members = state.get("of_members", [])
        self.judgements = state["judgements"]
        self._sums = state["sums"]
        self._counts = state["counts"]
        self._judged = state["judged"]
        self._reported = state["reported"]
        self._collapsed = state["collapsed"]
