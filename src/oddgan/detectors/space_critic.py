"""The critic of neighbourhoods as a component of any detector's score."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from oddgan.estimator import Hooks, TableExplanation, from_state, restored_params
from oddgan.scores import finite_rows

from .retrieval_critic import RetrievalCritic


@dataclass(frozen=True)
class SpaceCritic:
    """The critic as a component of any detector's score: it sees one space as a table, (n, d).

    Attributes
    ----------
    detector : RetrievalCritic
        Fitted on training samples in that space.
    """

    detector: RetrievalCritic

    @classmethod
    def fit(cls, rows: NDArray[Any], *, like: Hooks) -> Self:
        """Train a critic for no more steps than `like` trains: untrained if `like` is.

        It draws the same in every fit.
        """
        n_steps = RetrievalCritic().max_steps or 0
        if like.max_steps is not None:
            n_steps = min(n_steps, like.max_steps)
        detector = RetrievalCritic(
            score_name="critic",
            max_steps=n_steps,
            min_steps=max(1, n_steps),
            n_references=like.n_references,
            device=like.device,
            random_state=0,
            n_folds=1,
            health=False,
        )
        with warnings.catch_warnings():
            # It is about a threshold that a component is never asked for.
            warnings.filterwarnings("ignore", "nothing will be flagged", UserWarning)
            return cls(detector.fit(finite_rows(rows)))

    def distance(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return how corrupted each row looks to the critic, shape (n,)."""
        scores = self.detector.anomaly_score(finite_rows(rows))
        return np.asarray(scores, dtype=np.float64)

    def nearest(self, rows: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what is expected of each row, and what each number adds, both (n, d)."""
        explanation = cast("TableExplanation", self.detector.explain(finite_rows(rows)))
        assert explanation.expected is not None
        contributions = np.asarray(explanation, dtype=np.float64)
        return np.array(explanation.expected, dtype=np.float64), contributions

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a file must hold: what JSON can, and arrays."""
        return self.detector.to_state()

    @classmethod
    def from_state(cls, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return what `to_state` described."""
        params = restored_params(header["params"])
        detector = RetrievalCritic(**params)
        return cls(detector.adopt(from_state(detector, header, dict(arrays))))
