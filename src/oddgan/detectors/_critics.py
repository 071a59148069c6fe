"""The critic of neighbourhoods as a part of any detector's score."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from oddgan.estimator import serialization
from oddgan.scores import finite_rows

if TYPE_CHECKING:
    from oddgan.estimator.detector import Detector
    from oddgan.estimator.explanation import TableExplanation

    from .retrieval_critic import RetrievalCritic


@dataclass(frozen=True)
class SpaceCritic:
    """A critic of the rows of one space, (n, d), which it sees as a table of numbers.

    Attributes
    ----------
    detector : RetrievalCritic
        Fitted on training samples in that space.
    """

    detector: "RetrievalCritic"

    @classmethod
    def fit(cls, rows: NDArray[Any], *, like: "Detector") -> Self:
        """Train one, for no more rounds than `like` has: of an untrained detector it is untrained.

        What it draws is the same in every fit.
        """
        critic = _retrieval_critic()
        rounds = int(critic.defaults["max_steps"] or 0)
        if like.max_steps is not None:
            rounds = min(rounds, like.max_steps)
        detector = critic(
            score="critic",
            max_steps=rounds,
            min_steps=max(1, rounds),
            n_references=like.n_references,
            device=like.device,
            random_state=0,
            health=False,
        )
        with warnings.catch_warnings():
            # It is about a threshold that a part is never asked for.
            warnings.filterwarnings("ignore", "only .* held-out sample", UserWarning)
            return cls(detector.fit(finite_rows(rows)))

    def distance(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return how corrupted each row looks to the critic, shape (n,)."""
        scores = self.detector.anomaly_score(finite_rows(rows))
        return np.asarray(scores, dtype=np.float64)

    def nearest(self, rows: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what is expected of each row, and what each number adds, both (n, d)."""
        told = cast("TableExplanation", self.detector.explain(finite_rows(rows)))
        assert told.expected is not None
        return np.array(told.expected, dtype=np.float64), np.asarray(told, dtype=np.float64)

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a file must hold: what JSON can, and arrays."""
        return self.detector.stored()

    @classmethod
    def from_state(cls, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return what `to_state` described."""
        known = {header["detector"]: _retrieval_critic()}
        return cls(serialization.restore(known, header, dict(arrays), None, "the model"))


def _retrieval_critic() -> "type[RetrievalCritic]":
    # It is a detector like those that it is a part of.
    from .retrieval_critic import RetrievalCritic

    return RetrievalCritic
