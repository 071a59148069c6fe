"""Probabilities of an anomaly, from labelled samples."""

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.metaestimators import available_if

from oddgan import decisions

from .decisions import Decisions, Floats


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
