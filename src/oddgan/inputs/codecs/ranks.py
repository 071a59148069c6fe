"""Numeric columns as the normal scores of their ranks: alone, or beside the scaled value."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from typing_extensions import override

from oddgan.inputs.raw import Array, Rows

from .columns import Block, Column, soft_clipped, unclipped
from .values import Values, is_single

MAX_KNOTS = 1000

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Normal scores of mid-ranks among the training values.

    The mid-rank of x is (number of training values < x + number of those <= x + 1) / 2, so ties
    share one. Its normal score is Phi^-1(mid-rank / (n + 1)): Van der Waerden's. (If ties were
    split or sent to one end, the most common value of a column with many zeros would land at an
    end of the scale.)

    Up to 1,000 distinct values are stored, and the scores are exact. If there are more, the stored
    values are those with evenly spaced scores, and ranks between two of them are interpolated: the
    error of a score is at most their distance, .01 for a million rows.

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
        """Fit training values, at least one."""
        knots, frequencies = np.unique(present, return_counts=True)
        upto = np.cumsum(frequencies)
        counts = np.stack([upto - frequencies, upto], axis=1)
        if len(knots) > MAX_KNOTS:
            end = ndtri(len(present) / (len(present) + 1))
            even = (len(present) + 1) * ndtr(np.linspace(-end, end, MAX_KNOTS))
            index = np.unique(np.searchsorted(upto, np.round(even)))
            knots, counts = knots[index], counts[index]
        return cls(knots, counts, single)

    def scores(self, x: Floats, single: bool) -> Floats:
        """Return the normal score of each value; `single`: they had 32 bits or fewer."""
        knots, n = self.knots, self.counts[-1, 1]
        if single or self.single:  # else 0.1 in 64 bits would not tie with 0.1 in 32 bits
            with np.errstate(over="ignore"):
                x, knots = (a.astype(np.float32).astype(np.float64) for a in (x, knots))
        left = np.searchsorted(knots, x, side="left")
        right = np.searchsorted(knots, x, side="right")
        # Padded, so that values outside all knots lie between two as well.
        below = np.append(self.counts[:, 0], n)[left]
        upto = np.insert(self.counts[:, 1], 0, 0)[right]
        between = right == left
        inner = between & (left > 0) & (left < len(knots))
        share = np.zeros(len(x))
        share[inner] = _share(x[inner], knots[left[inner] - 1], knots[left[inner]])
        rank = np.where(between, upto + share * (below - upto), (below + upto) / 2) + 0.5
        return np.asarray(ndtri(rank / (n + 1)))

    def values(self, scores: Floats) -> Floats:
        """Return the value with each score, interpolated; beyond the knots, the outermost knot."""
        # Rounded as encoded features are, so that a knot is decoded to itself.
        knot_scores = self.scores(self.knots, self.single).astype(np.float32).astype(np.float64)
        i = np.searchsorted(knot_scores[1:-1], scores, side="right")
        share = _share(scores, knot_scores[i], knot_scores[i + 1])
        return np.asarray(self.knots[i] * (1 - share) + self.knots[i + 1] * share)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ranks)
            and np.array_equal(self.knots, other.knots)
            and np.array_equal(self.counts, other.counts)
            and self.single == other.single
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Rank(Column):
    """The normal score of the mid-rank; missing values become ``fill``."""

    kind = "rank"
    fill: float
    ranks: Ranks

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        x = self._numbers(values, out, rows, self.fill)
        out[:, self.start] = self.ranks.scores(x, is_single(values))

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        values = self.ranks.values(x[:, 0].astype(np.float64))
        return np.where(self._missing(x), np.nan, values)

    def _value_blocks(self) -> list[Block]:
        return [Block("gaussian", self.start, self.start + 1)]


@dataclass(frozen=True)
class StandardAndRank(Column):
    """Two features: the standardised value, softly clipped, and the normal score of its rank.

    Each is divided by sqrt(2), so that a squared distance is the mean of the squared distances in
    the two views, and the column weighs as much as one with a single view.
    """

    kind = "standard+rank"
    center: float
    scale: float
    fill: float
    ranks: Ranks

    @property
    @override
    def n_repeated(self) -> int:
        return 1

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        x = self._numbers(values, out, rows, self.fill)
        out[:, self.start : self.start + 2] = self.views(x, is_single(values))

    def views(self, x: NDArray[np.float64], single: bool) -> NDArray[np.float64]:
        """Return both features of each number, shape (n, 2)."""
        value = soft_clipped(x, self.center, self.scale).astype(np.float64)
        return np.stack([value, self.ranks.scores(x, single)], axis=1) / sqrt(2)

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        # Each view alone can be decoded. In the bulk of a heavy-tailed column the rank tells
        # values apart, in its tail the value does: take the candidate whose features are nearer.
        features = x[:, :2].astype(np.float64)
        value, rank = (features * sqrt(2)).T
        candidates = [unclipped(value, self.center, self.scale), self.ranks.values(rank)]
        distances = [((self.views(v, False) - features) ** 2).sum(axis=1) for v in candidates]
        nearer = np.where(distances[0] <= distances[1], *candidates)
        return np.where(self._missing(x), np.nan, nearer)

    def _value_blocks(self) -> list[Block]:
        return [Block("gaussian", self.start, self.start + 2)]


def _share(x: Floats, low: Floats, high: Floats) -> Floats:
    """Return the position of `x` between `low` (0) and `high` (1), clipped to [0, 1]."""
    width = high / 2 - low / 2  # halves: the difference itself may overflow
    return np.clip((x / 2 - low / 2) / np.where(width > 0, width, 1), 0, 1)
