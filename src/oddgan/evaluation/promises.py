"""Promised error rates of a detector's decisions against those observed on labelled samples.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> y, scores = np.repeat([0, 1], [1000, 50]), rng.normal(size=1050)
>>> promises = evaluate_promises(y, scores + 9 * y, rng.normal(size=999))
>>> promises.fpr_at_5
0.041
"""

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from oddgan import decisions

from .metrics import check_scores

#: The promised shares of false alarms and the promised rate of false discoveries.
FALSE_ALARMS = {"fpr_at_1": 0.01, "fpr_at_5": 0.05, "fpr_at_10": 0.1}
FALSE_DISCOVERIES = 0.1


@dataclass(frozen=True)
class Promises:
    """Observed error rates of split-conformal decisions.

    Attributes
    ----------
    n_held_out : int
        Number of held-out normal samples that the decisions rest on.
    fpr_at_1, fpr_at_5, fpr_at_10 : float or None
        Share of the normal test samples, in [0, 1], above the threshold that promises 1, 5 or
        10 % false alarms. None if there are too few held-out samples for it.
    fdr_at_10 : float
        Share of normal samples among those that Benjamini-Hochberg flags at 10 %; 0 if none is
        flagged. It can exceed 10 % in a single batch: the promise is about its mean.
    recall_at_fdr_10 : float
        Share of the anomalies that it flags: flagging nothing keeps any promise.
    intervals : dict of str to (float, float)
        95 % Wilson intervals of the shares above, given the held-out samples; for `fdr_at_10` also
        given the number of flagged samples, and without an interval if none is flagged.
    """

    n_held_out: int
    fpr_at_1: float | None
    fpr_at_5: float | None
    fpr_at_10: float | None
    fdr_at_10: float
    recall_at_fdr_10: float
    intervals: dict[str, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """Return the rates as plain numbers, ready for JSON; without the intervals."""
        return {name: value for name, value in asdict(self).items() if name != "intervals"}


def evaluate_promises(
    y: npt.ArrayLike, scores: npt.ArrayLike, calibration: npt.ArrayLike
) -> Promises:
    """Compare promised and observed rates of false alarms and of false discoveries.

    Parameters
    ----------
    y : array of shape (n,)
        1 (or True) for an anomaly, 0 for a normal sample; both must occur.
    scores : array of shape (n,)
        Higher is odder; finite. They form one batch for Benjamini-Hochberg.
    calibration : array of shape (n_held_out,)
        Scores of held-out normal samples.

    Returns
    -------
    Promises

    Raises
    ------
    ValueError
        If `evaluate_scores` would refuse y and scores, or there is no calibration score.
    """
    y, scores = check_scores(y, scores)
    held_out = np.asarray(calibration, dtype=np.float64)
    counts: dict[str, tuple[int, int]] = {}
    for name, target in FALSE_ALARMS.items():
        above = scores[~y] > decisions.conformal_threshold(held_out, target)
        if held_out.size >= decisions.smallest_sample(target):
            counts[name] = (int(above.sum()), int((~y).sum()))
    p_values = decisions.conformal_p_values(scores, held_out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the result shows if nothing can be flagged
        flagged = decisions.discoveries(p_values, FALSE_DISCOVERIES, n_held_out=held_out.size)
    if flagged.any():
        counts["fdr_at_10"] = (int((flagged & ~y).sum()), int(flagged.sum()))
    counts["recall_at_fdr_10"] = (int((flagged & y).sum()), int(y.sum()))
    shares = {name: k / n for name, (k, n) in counts.items()}
    return Promises(
        n_held_out=held_out.size,
        fpr_at_1=shares.get("fpr_at_1"),
        fpr_at_5=shares.get("fpr_at_5"),
        fpr_at_10=shares.get("fpr_at_10"),
        fdr_at_10=shares.get("fdr_at_10", 0.0),
        recall_at_fdr_10=shares["recall_at_fdr_10"],
        intervals={name: _wilson(k, n) for name, (k, n) in counts.items()},
    )


def _wilson(k: int, n: int) -> tuple[float, float]:
    interval = binomtest(k, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
