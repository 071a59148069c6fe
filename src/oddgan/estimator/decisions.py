"""Scores and what follows from them: the interface that every kind of detector has in common."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin

from oddgan import decisions, inputs

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """The scores of held-out normal samples, which new scores are compared with.

    Attributes
    ----------
    scores : ndarray of shape (n_held_out,)
        Sorted anomaly scores.
    threshold : float
        Samples with a greater score are flagged.
    target_fpr : float
        The share of normal samples that the threshold flags.
    """

    scores: Floats
    threshold: float
    target_fpr: float


class Decisions(OutlierMixin, metaclass=ABCMeta):  # type: ignore[misc]
    """Scores, flags and p-values of any fitted detector."""

    @abstractmethod
    def source(self, data: Any, *, condition: Any = None, **options: Any) -> inputs.Source:
        """Open `data` as this fitted detector reads it."""

    @abstractmethod
    def iter_outputs(
        self, source: inputs.Source, output: Literal["anomaly_score"] = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield (row numbers, output) of a source chunk by chunk, in constant memory."""

    @abstractmethod
    def anomaly_score(self, X: Any, *, condition: Any = None) -> Floats:
        """Return the anomaly score of each sample, shape (n,); higher is more anomalous."""

    @property
    @abstractmethod
    def _calibration(self) -> Calibration:
        """The held-out scores that decisions go by."""

    def _decision_scores(self, X: Any, condition: Any) -> Floats:
        """Return scores of the kind that the held-out samples have."""
        return self.anomaly_score(X, condition=condition)

    # ------------------------------------------------------------------------------- attributes

    @property
    def threshold_(self) -> float:
        """Samples with a greater `anomaly_score` are flagged."""
        return self._calibration.threshold

    @property
    def offset_(self) -> float:
        """Minus `threshold_`: ``decision_function = score_samples - offset_``."""
        return -self.threshold_

    @property
    def calibration_scores_(self) -> Floats:
        """Anomaly scores of the held-out normal samples, sorted; of groups one sample of each."""
        return self._calibration.scores

    # --------------------------------------------------------------------------------- answers

    def score_samples(self, X: Any, *, condition: Any = None) -> Floats:
        """Return minus `anomaly_score`, scikit-learn's sign: lower is more anomalous; (n,)."""
        return -self.anomaly_score(X, condition=condition)

    def decision_function(self, X: Any, *, condition: Any = None) -> Floats:
        """Return ``score_samples(X) - offset_``, shape (n,); negative is flagged."""
        return -self._decision_scores(X, condition) - self.offset_

    def predict(self, X: Any, *, condition: Any = None) -> NDArray[np.int64]:
        """Return -1 for samples that are flagged and +1 for the others, shape (n,)."""
        return np.where(self.decision_function(X, condition=condition) < 0, -1, 1)

    def p_value(self, X: Any, *, condition: Any = None) -> Floats:
        """Return the conformal p-values, shape (n,).

        A p-value is the probability that a normal sample is at least as anomalous, by the held-out
        samples; its smallest value 1 / (n_held_out + 1) means "more anomalous than all of them".
        """
        return decisions.conformal_p_values(
            self._decision_scores(X, condition), self.calibration_scores_
        )

    def detect(self, X: Any, *, fdr: float = 0.1, condition: Any = None) -> NDArray[np.bool_]:
        """Flag samples so that on average at most a share `fdr` of the flagged is normal.

        Benjamini-Hochberg on :meth:`p_value`; the promise, its terms and the sources are in
        :func:`oddgan.decisions.discoveries`. It decides on the samples together: unlike a score
        or :meth:`predict`, whether one is flagged depends on the others.

        Parameters
        ----------
        X, condition : as in `anomaly_score`
            At least one sample.
        fdr : float, default=0.1
            Target false discovery rate, in (0, 1).

        Returns
        -------
        ndarray of bool, shape (n,)
            Whether each sample is flagged. With n_held_out held-out samples nothing can be
            unless about n / ((n_held_out + 1) fdr) samples are more anomalous than all of them; a
            warning says where that is the reason.

        Raises
        ------
        ValueError
            `fdr` is outside (0, 1), or the data is not as described.
        """
        decisions.check_share("fdr", fdr)  # before scoring, which may take long
        p_values = self.p_value(X, condition=condition)
        return decisions.discoveries(p_values, fdr, n_held_out=len(self.calibration_scores_))

    def drift(self, X: Any, *, alpha: float = 0.01, condition: Any = None) -> decisions.Drift:
        """Test whether the scores of a batch still look like those of held-out normal samples.

        More anomalies in the batch and a process that has moved look alike. Rows that trained
        score lower than new ones, and would look like drift.

        Parameters
        ----------
        X, condition : as in `anomaly_score`
            The batch, at least one sample.
        alpha : float, default=0.01
            Probability with which a batch of normal samples is called drifted, at most.

        Returns
        -------
        decisions.Drift
            The tests of :func:`oddgan.decisions.drift`, and what they say in words.

        Raises
        ------
        ValueError
            `alpha` is outside (0, 1), or the data is not as described.
        """
        decisions.check_share("alpha", alpha)
        return decisions.drift(
            self._decision_scores(X, condition),
            self.calibration_scores_,
            target_fpr=self._calibration.target_fpr,
            alpha=alpha,
        )
