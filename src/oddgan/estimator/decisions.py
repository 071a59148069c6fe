"""Scores and what follows from them: the interface that every kind of detector has in common."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.metaestimators import available_if

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
    held_out_scores : ndarray of shape (m,)
        Those of `scores` that the fit itself gave the rows it held out; with one fit all of them.
    """

    scores: Floats
    threshold: float
    target_fpr: float
    held_out_scores: Floats

    @classmethod
    def of(cls, scores: Floats, target_fpr: float) -> Self:
        """Return the calibration by the sorted scores of one fit's held-out samples."""
        threshold = decisions.conformal_threshold(scores, target_fpr)
        return cls(scores, threshold, target_fpr, scores)


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
            self._calibration.held_out_scores,
            target_fpr=self._calibration.target_fpr,
            alpha=alpha,
        )


def _knows_labels(detector: "Probabilities") -> bool:
    if not hasattr(detector, "proba_calibration_"):
        raise AttributeError(
            "a probability takes labelled samples: give some, of both classes, to calibrate_proba "
            "first; without labels there is p_value, by held-out normal samples"
        )
    return True


class Probabilities(Decisions):
    """A detector that can learn from labelled samples how probable an anomaly is."""

    @property
    @abstractmethod
    def proba_calibration_(self) -> decisions.ProbaCalibration:
        """What `calibrate_proba` learned."""

    @abstractmethod
    def _keep_probabilities(self, calibration: decisions.ProbaCalibration) -> None:
        """Keep what `calibrate_proba` learned."""

    def calibrate_proba(
        self,
        X: Any,
        y: ArrayLike,
        *,
        method: decisions.ProbaMethod = "sigmoid",
        prevalence: float | None = None,
        condition: Any = None,
    ) -> Self:
        """Learn from labelled samples how probable an anomaly is at each score.

        `predict_proba` is there afterwards, until the next `fit`; the scores, the threshold and
        the p-values stay as they are.

        Parameters
        ----------
        X, condition : as in `anomaly_score`
            Labelled samples, none of them given to `fit`: rows that trained score lower than new
            ones. The more the better; fewer than 10 of a class warn.
        y : array-like of shape (n,)
            1 for anomalies, 0 for normal samples; both must occur.
        method : {"sigmoid", "isotonic"}, default="sigmoid"
            Platt's sigmoid of the compressed score, or any rising curve, which takes about 1,000
            labelled samples (see :func:`oddgan.decisions.proba_calibration`).
        prevalence : float, optional
            Share of anomalies, in (0, 1), where the probabilities are to be used; by default
            that among the labelled samples.

        Returns
        -------
        self
            With `proba_calibration_`.

        Raises
        ------
        ValueError
            An argument is not as described.
        """
        decisions.check_method(method)  # before scoring, which may take long
        if prevalence is not None:
            decisions.check_share("prevalence", prevalence)
        calibration = decisions.proba_calibration(
            y,
            self._decision_scores(X, condition),
            method=method,
            prevalence=prevalence,
            normal_scores=self.calibration_scores_,
        )
        self._keep_probabilities(calibration)
        return self

    @available_if(_knows_labels)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any, *, condition: Any = None) -> Floats:
        """Return the probabilities of being normal and of being an anomaly, shape (n, 2).

        Only after `calibrate_proba`: how probable an anomaly is at a score, and how common
        anomalies are, nobody can know without labels. The second column never falls as the score
        rises.

        Parameters
        ----------
        X, condition : as in `anomaly_score`
            Samples.
        """
        scores = self._decision_scores(X, condition)
        anomalous = self.proba_calibration_.probability(scores)
        return np.stack([1 - anomalous, anomalous], axis=1)
