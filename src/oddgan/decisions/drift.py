"""Drift: whether the scores of a new batch differ from those of held-out normal samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import comb
from scipy.stats import betabinom, ks_2samp

from .conformal import check_share, threshold_rank

_CAUSE = (
    " More anomalies among the samples and a process that has changed look alike in the scores: "
    "inspect the samples to tell which it is."
)


@dataclass(frozen=True)
class Drift:
    """The scores of a new batch compared with those of held-out normal samples.

    Attributes
    ----------
    drifted : bool
        Whether either test below rejects at `alpha` / 2.
    alpha : float
        Maximum probability of a false alarm for a batch of normal samples.
    statistic : float
        Two-sample Kolmogorov-Smirnov distance, in [0, 1].
    p_value : float
        Its p-value; ties can only make it too large.
    flagged_share : float
        Share of the batch above the threshold.
    expected_share : float
        Expected share of normal samples above it; at most `target_fpr` if there are enough
        held-out samples.
    expected_interval : (float, float)
        Interval that contains the `flagged_share` of a normal batch of this size with probability
        at least 1 - alpha / 2; beta-binomial, as the threshold comes from a finite sample.
    message : str
        The result in plain words.
    """

    drifted: bool
    alpha: float
    statistic: float
    p_value: float
    flagged_share: float
    expected_share: float
    expected_interval: tuple[float, float]
    message: str


def drift(
    scores: ArrayLike,
    calibration_scores: ArrayLike,
    *,
    target_fpr: float = 0.05,
    alpha: float = 0.01,
) -> Drift:
    """Compare the scores of a new batch with those of held-out normal samples.

    Two tests share `alpha`: the two-sample Kolmogorov-Smirnov test of the whole distribution
    (SciPy's, exact for up to 10,000 samples on either side) and a beta-binomial test of the share
    above the threshold, which is more sensitive to a few anomalous samples.

    The cause remains unknown: more anomalies in the batch and a process that has changed look
    alike. Nor is a change detected that does not affect the scores.

    Parameters
    ----------
    scores : array-like of shape (m,)
        Anomaly scores of the batch; without training rows, which score lower.
    calibration_scores : array-like of shape (n,)
        Anomaly scores of held-out normal samples.
    target_fpr : float, default=0.05
        Target false positive rate of the threshold, as in :func:`conformal_threshold`.
    alpha : float, default=0.01
        Maximum probability that a batch of normal samples is reported as drifted; in (0, 1).

    Returns
    -------
    Drift

    Raises
    ------
    ValueError
        There are no scores, a score is NaN, or a share is outside (0, 1).
    """
    check_share("alpha", alpha)
    new = _checked(scores, "scores")
    held_out = _checked(calibration_scores, "calibration_scores")
    check_share("target_fpr", target_fpr)
    # With few held-out samples it is the share above all of them.
    rank = min(threshold_rank(len(held_out), target_fpr), len(held_out))
    threshold, n_above = np.sort(held_out)[rank - 1], len(held_out) + 1 - rank
    low, high = _interval(len(new), len(held_out), n_above, alpha)
    if np.sum(held_out == threshold) + np.sum(new == threshold) > 1:
        low = 0.0  # ties at the threshold are not flagged: fewer than n_above may be above it
    ks = ks_2samp(new, held_out)
    share = float(np.mean(new > threshold))
    drifted = bool(ks.pvalue <= alpha / 2 or not low <= share <= high)
    message = _ks_in_words(new, held_out, ks)
    message += (
        f" {share:.1%} of the new samples are above the threshold; {low:.1%} to {high:.1%} are "
        "expected of as many normal samples."
    )
    if drifted:
        message += _CAUSE
    elif (low, high) == (0, 1) and 2 / comb(len(new) + len(held_out), len(new)) > alpha / 2:
        message += f" So few samples cannot show drift at alpha={alpha:g}, whatever their scores."
    return Drift(
        drifted=drifted,
        alpha=alpha,
        statistic=float(ks.statistic),
        p_value=float(ks.pvalue),
        flagged_share=share,
        expected_share=n_above / (len(held_out) + 1),
        expected_interval=(low, high),
        message=message,
    )


def _checked(values: ArrayLike, name: str) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0:
        raise ValueError(f"{name} must be one-dimensional and not empty; shape is {scores.shape}")
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {scores.size} {name} are NaN")
    return scores


def _interval(m: int, n: int, n_above: int, alpha: float) -> tuple[float, float]:
    """Return the interval of the flagged share of `m` normal samples, with coverage 1 - alpha / 2.

    A new normal score exceeds the (n + 1 - n_above)-th smallest of n with a probability that is
    Beta(n_above, n + 1 - n_above) distributed; how many of m scores do so is beta-binomial.
    """
    # SciPy's quantile function sums the terms again in each step of a search; here once.
    cdf = np.cumsum(betabinom.pmf(np.arange(m + 1), m, n_above, n + 1 - n_above))
    low, high = np.searchsorted(cdf, [alpha / 4, 1 - alpha / 4])
    return float(low / m), float(min(high, m) / m)


def _ks_in_words(new: NDArray[np.float64], held_out: NDArray[np.float64], ks: Any) -> str:
    """Return the result of the Kolmogorov-Smirnov test as a sentence."""
    location = ks.statistic_location
    p = f"p = {ks.pvalue:.2g}" if ks.pvalue >= 1e-4 else "p < 0.0001"
    return (
        f"The scores of {len(new)} new samples and of {len(held_out)} held-out normal samples "
        f"differ most at {location:.4g}: {np.mean(new > location):.1%} and "
        f"{np.mean(held_out > location):.1%} are above it (Kolmogorov-Smirnov distance "
        f"{ks.statistic:.3f}, {p})."
    )
