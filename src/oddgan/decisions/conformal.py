"""Split-conformal decisions (Vovk et al. 2005; Bates et al. 2023, arXiv 2104.08279).

Decisions compare a score with the scores of n held-out normal samples. No distribution is
assumed; new normal samples only have to be exchangeable with the held-out ones.
"""

from math import ceil, inf

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_share(name: str, value: float) -> None:
    """Raise ValueError unless `value` is strictly between 0 and 1; `name` is for the message."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value}")


def smallest_sample(target_fpr: float) -> int:
    """Return the number of held-out samples that `target_fpr` needs.

    With fewer, even the highest of all scores is not that rare among normal samples.
    """
    return ceil(1 / target_fpr - 1e-9) - 1


def conformal_threshold(calibration: ArrayLike, target_fpr: float) -> float:
    """Return the threshold that new normal scores exceed with probability at most `target_fpr`.

    Parameters
    ----------
    calibration : array-like of shape (n,)
        Anomaly scores of held-out normal samples.
    target_fpr : float
        Target false positive rate, in (0, 1).

    Returns
    -------
    float
        The k-th smallest calibration score, k = ceil((n + 1) (1 - target_fpr)); a sample is
        flagged if its score is greater. With fewer than :func:`smallest_sample` held-out samples
        k is n + 1, and the result infinity: no score says that a sample is that rare.

    Raises
    ------
    ValueError
        There is no calibration score, or `target_fpr` is outside (0, 1).
    """
    scores = np.sort(np.asarray(calibration, dtype=np.float64))
    check_share("target_fpr", target_fpr)
    if scores.size == 0:
        raise ValueError("a threshold needs at least one held-out sample")
    rank = threshold_rank(scores.size, target_fpr)
    return float(scores[rank - 1]) if rank <= scores.size else inf


def threshold_rank(n: int, target_fpr: float) -> int:
    """Return the rank of the threshold among `n` held-out scores, n + 1 if all are too small."""
    return ceil((n + 1) * (1 - target_fpr) - 1e-9)


def conformal_p_values(scores: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that a normal sample has a score at least as high.

    Parameters
    ----------
    scores : array-like of shape (m,)
        Anomaly scores of new samples.
    calibration : array-like of shape (n,)
        Anomaly scores of held-out normal samples.

    Returns
    -------
    ndarray of shape (m,)
        (1 + number of calibration scores >= score) / (n + 1), in [1 / (n + 1), 1]. The smallest
        value is limited by n: it means "higher than all n scores", never "impossible".
    """
    reference = np.sort(np.asarray(calibration, dtype=np.float64))
    below = np.searchsorted(reference, np.asarray(scores, dtype=np.float64), side="left")
    return np.asarray((1 + reference.size - below) / (1 + reference.size), dtype=np.float64)
