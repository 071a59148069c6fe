"""The normal scores of ranks: what is learnt of a column's distribution, and the way back."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from .values import Values

MAX_KNOTS = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Normal scores of mid-ranks among the values of training.

    The mid-rank of x is (number of training values < x + number of those <= x + 1) / 2, so ties
    share one, and its normal score is Phi^-1(mid-rank / (n + 1)): Van der Waerden's. (Where ties
    are split or sent to an end instead, the commonest value of a column of many zeros lands at an
    end of the scale.)

    Up to 1,000 distinct values are kept, and the scores are exact. Of more, those are kept whose
    scores are evenly spaced, and ranks between two of them are interpolated: a score then errs by
    at most their distance, .01 for a million rows.

    Attributes
    ----------
    knots : ndarray of float64, shape (k,)
        Distinct training values, ascending.
    counts : ndarray of int64, shape (k, 2)
        How many training values are below each knot, and how many are at most as large.
    single : bool
        Whether the training values had 32 bits or fewer.
    """

    knots: Floats
    counts: NDArray[np.int64]
    single: bool

    @classmethod
    def fit(cls, present: Floats, single: bool) -> "Ranks":
        """Learn from training values, at least one."""
        knots, times = np.unique(present, return_counts=True)
        upto = np.cumsum(times)
        counts = np.stack([upto - times, upto], axis=1)
        if len(knots) > MAX_KNOTS:
            end = ndtri(len(present) / (len(present) + 1))
            even = (len(present) + 1) * ndtr(np.linspace(-end, end, MAX_KNOTS))
            kept = np.unique(np.searchsorted(upto, np.round(even)))
            knots, counts = knots[kept], counts[kept]
        return cls(knots, counts, single)

    def scores(self, found: Floats, single: bool) -> Floats:
        """Return the normal score of each value; `single`: they had 32 bits or fewer."""
        knots, n = self.knots, self.counts[-1, 1]
        if single or self.single:  # else 0.1 of 64 bits would not tie with 0.1 of 32 bits
            with np.errstate(over="ignore"):
                found, knots = (a.astype(np.float32).astype(np.float64) for a in (found, knots))
        left = np.searchsorted(knots, found, side="left")
        right = np.searchsorted(knots, found, side="right")
        # Padded, so that what is outside of all knots lies between two as well.
        below = np.append(self.counts[:, 0], n)[left]
        upto = np.insert(self.counts[:, 1], 0, 0)[right]
        between = right == left
        inner = between & (left > 0) & (left < len(knots))
        share = np.zeros(len(found))
        share[inner] = _share(found[inner], knots[left[inner] - 1], knots[left[inner]])
        rank = np.where(between, upto + share * (below - upto), (below + upto) / 2) + 0.5
        return np.asarray(ndtri(rank / (n + 1)))

    def values(self, scores: Floats) -> Floats:
        """Return the value with each score, interpolated; beyond the knots, the outermost."""
        # Rounded as encoded features are, so that what was a knot becomes one again.
        known = self.scores(self.knots, self.single).astype(np.float32).astype(np.float64)
        i = np.searchsorted(known[1:-1], scores, side="right")
        share = _share(scores, known[i], known[i + 1])
        return np.asarray(self.knots[i] * (1 - share) + self.knots[i + 1] * share)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ranks)
            and np.array_equal(self.knots, other.knots)
            and np.array_equal(self.counts, other.counts)
            and self.single == other.single
        )

    __hash__ = None  # type: ignore[assignment]


def _share(x: Floats, low: Floats, high: Floats) -> Floats:
    """Return which share of the way from `low` to `high` has been gone at `x`, in [0, 1]."""
    width = high / 2 - low / 2  # halves: the difference itself may overflow
    return np.clip((x / 2 - low / 2) / np.where(width > 0, width, 1), 0, 1)


def is_single(values: Values) -> bool:
    """Tell whether a column holds floating-point numbers of 32 bits or fewer."""
    if isinstance(values, pa.ChunkedArray):
        return bool(pa.types.is_float32(values.type) or pa.types.is_float16(values.type))
    return bool(values.dtype.kind == "f" and values.dtype.itemsize <= 4)
