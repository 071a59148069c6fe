"""Control of the false discovery rate: the share of false alarms among flagged samples.

Benjamini and Hochberg (1995), Controlling the false discovery rate, JRSS B 57. Conformal p-values
share their held-out samples and depend on each other, but positively, and the procedure remains
valid: Bates, Candès, Lei, Romano and Sesia (2023), Testing for outliers with conformal p-values,
Annals of Statistics 51, arXiv 2104.08279, theorem 2.
"""

import warnings
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from .conformal import check_share


def discoveries(p_values: ArrayLike, fdr: float, *, n_held_out: int) -> NDArray[np.bool_]:
    """Flag samples by Benjamini-Hochberg on their conformal p-values.

    The false discovery rate is the share of normal samples among the flagged ones (0 if none is
    flagged), averaged over held-out samples and batches. It is at most `fdr` times the share of
    normal samples in the batch, if these are independent with the distribution of the held-out
    ones.

    Parameters
    ----------
    p_values : array-like of shape (m,)
        From :func:`conformal_p_values`, of all samples in the batch: whether a sample is flagged
        depends on the others.
    fdr : float
        Target false discovery rate, in (0, 1).
    n_held_out : int
        Number of held-out samples behind the p-values. No p-value is below 1 / (n_held_out + 1):
        no sample can be flagged unless about m / ((n_held_out + 1) fdr) samples reach it.

    Returns
    -------
    ndarray of bool, shape (m,)
        Whether each sample is flagged.

    Raises
    ------
    ValueError
        `fdr` is outside (0, 1), or a p-value outside [0, 1].

    Warns
    -----
    UserWarning
        Samples have the smallest possible p-value but cannot be flagged; the message says how many
        held-out samples are needed.
    """
    check_share("fdr", fdr)
    p = np.asarray(p_values, dtype=np.float64)
    # p-values are whole multiples of 1 / (n + 1): equality is common, and must survive rounding.
    flagged = np.asarray(false_discovery_control(p, method="bh") <= fdr + 1e-12)
    n_above_all = int(np.count_nonzero(p <= (1 + 1e-9) / (n_held_out + 1)))
    if n_above_all and not flagged.any():
        needed = ceil(p.size / (n_above_all * fdr) - 1e-9) - 1
        warnings.warn(
            f"{n_above_all} of {p.size} samples score higher than all {n_held_out} held-out "
            f"samples, but none can be flagged at fdr={fdr}: that needs {needed} held-out samples",
            stacklevel=3,
        )
    return flagged
