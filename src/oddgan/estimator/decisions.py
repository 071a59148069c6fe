"""What a fitted detector says beyond its threshold: p-values, probabilities and the like."""

import warnings
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from oddgan import decisions

from .shared_components import differ

Floats = NDArray[np.float64]


def _knows_labels(detector: "Decisions") -> bool:
    if not hasattr(detector, "proba_calibration_"):
        raise AttributeError(
            "a probability takes labelled samples: give some, of both classes, to calibrate_proba "
            "first; without labels there is p_value, by held-out normal samples"
        )
    return True


class Decisions(ABC):
    """Answers that compare scores with those of the held-out normal samples."""

    calibration_scores_: Floats
    crossed_: bool
    fitted_params_: dict[str, Any]
    proba_calibration_: decisions.ProbaCalibration
    target_fpr: float
    score: Any

    @abstractmethod
    def anomaly_score(self, X: Any, *, condition: Any = None) -> Floats:
        """Return how odd each sample is, shape (n,); higher is odder."""

    def p_value(self, X: Any, *, condition: Any = None) -> Floats:
        """Return the conformal p-values, shape (n,).

        The probability that a normal sample is at least as odd, by the held-out samples; its
        smallest value 1 / (n_held_out + 1) means "odder than all of them".
        """
        return decisions.conformal_p_values(
            self._comparable_scores(X, condition), self.calibration_scores_
        )

    def detect(self, X: Any, *, fdr: float = 0.1, condition: Any = None) -> NDArray[np.bool_]:
        """Flag samples so that at most a share `fdr` of the flagged is normal, on average.

        Benjamini-Hochberg on :meth:`p_value`; the promise, its terms and the sources are in
        :func:`oddgan.decisions.discoveries`. The samples are decided on together: unlike a
        score or :meth:`predict`, whether one is flagged depends on the others.

        Parameters
        ----------
        X, condition : as in `anomaly_score`
            At least one sample.
        fdr : float, default=0.1
            Wanted false discovery rate, in (0, 1).

        Returns
        -------
        ndarray of bool, shape (n,)
            Whether each sample is flagged. With n_held_out held-out samples nothing can be
            unless about n / ((n_held_out + 1) fdr) samples are odder than all of them; a warning
            tells where that is the reason.

        Raises
        ------
        ValueError
            `fdr` is outside (0, 1), or the data is not as described.
        """
        decisions.check_share("fdr", fdr)  # before scoring, which may take long
        p_values = self.p_value(X, condition=condition)
        return decisions.discoveries(p_values, fdr, n_held_out=len(self.calibration_scores_))

    def drift(self, X: Any, *, alpha: float = 0.01, condition: Any = None) -> decisions.Drift:
        """Tell whether the scores of a batch still look like those of held-out normal samples.

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
            The tests of :func:`oddgan.decisions.drift`, and what they say in plain words.

        Raises
        ------
        ValueError
            `alpha` is outside (0, 1), or the data is not as described.
        """
        decisions.check_share("alpha", alpha)
        return decisions.drift(
            self._comparable_scores(X, condition),
            self.calibration_scores_,
            target_fpr=self.fitted_params_["target_fpr"],
            alpha=alpha,
        )

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
        self.proba_calibration_ = decisions.proba_calibration(
            y,
            self._comparable_scores(X, condition),
            method=method,
            prevalence=prevalence,
            normal_scores=self.calibration_scores_,
        )
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
        scores = self._comparable_scores(X, condition)
        found = self.proba_calibration_.probability(scores)
        return np.stack([1 - found, found], axis=1)

    def _comparable_scores(self, X: Any, condition: Any) -> Floats:
        """Return the scores of samples, if they are of the kind that the held-out samples have."""
        check_is_fitted(self)
        now = self.score
        before = self.fitted_params_.get("score", now)  # not every subclass names it
        if differ(now, before):
            raise ValueError(
                f"the threshold and the held-out scores are those of score={before!r}, and score "
                f"is {now!r} now: fit again with it to decide by it"
            )
        return self.anomaly_score(X, condition=condition)

    def _calibrate(self, scores: Floats) -> None:
        """Set the threshold by the scores of held-out samples."""
        self.calibration_scores_ = np.sort(scores)
        self.threshold_ = decisions.conformal_threshold(self.calibration_scores_, self.target_fpr)
        self.offset_ = -self.threshold_

    def _warn_of_few_held_out(self) -> None:
        n = len(self.calibration_scores_)
        needed = decisions.smallest_sample(self.target_fpr)
        if n < needed:
            advice = "give more rows, or groups, or a larger calibration_fraction"
            if self.crossed_:
                advice = "all rows are held out already: give more, or a larger target_fpr"
            warnings.warn(
                f"only {n} held-out sample(s): new normal samples are flagged with "
                f"probability 1/{n + 1}, not target_fpr={self.target_fpr}, which takes "
                f"{needed}; {advice}",
                stacklevel=3,
            )
