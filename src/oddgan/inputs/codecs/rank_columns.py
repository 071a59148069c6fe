"""Numeric columns as ranks: alone, or beside the scaled value."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from oddgan.inputs.raw import Array, Rows

from .columns import Block, Column, soft_clipped, unclipped
from .ranks import Ranks, is_single
from .values import Values


@dataclass(frozen=True)
class Rank(Column):
    """The normal score of the mid-rank; missing values become ``fill``."""

    kind = "rank"
    fill: float
    ranks: Ranks

    @override
    def put(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        found = self._numbers(values, out, rows, self.fill)
        out[:, self.start] = self.ranks.scores(found, is_single(values))

    @override
    def take(self, x: NDArray[np.float32]) -> Array:
        found = self.ranks.values(x[:, 0].astype(np.float64))
        return np.where(self._missing(x), np.nan, found)

    def _value_blocks(self) -> list[Block]:
        return [Block("gaussian", self.start, self.start + 1)]


@dataclass(frozen=True)
class TwoViews(Column):
    """Two features: the standardised value, softly clipped, and the normal score of its rank.

    Each is divided by sqrt(2), so that a squared distance is the mean of those in the two views,
    and the column weighs as much as one of a single view.
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
    def put(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        found = self._numbers(values, out, rows, self.fill)
        out[:, self.start : self.start + 2] = self.views(found, is_single(values))

    def views(self, found: NDArray[np.float64], single: bool) -> NDArray[np.float64]:
        """Return both features of each number, shape (n, 2)."""
        value = soft_clipped(found, self.center, self.scale).astype(np.float64)
        return np.stack([value, self.ranks.scores(found, single)], axis=1) / sqrt(2)

    @override
    def take(self, x: NDArray[np.float32]) -> Array:
        # Each view alone has a value for its feature. In the bulk of a heavy-tailed column the
        # rank tells values apart, in its tail the value does: of the two, that value is taken
        # whose own features are nearer to the given ones.
        given = x[:, :2].astype(np.float64)
        value, rank = (given * sqrt(2)).T
        found = np.stack([unclipped(value, self.center, self.scale), self.ranks.values(rank)])
        distances = [((self.views(each, False) - given) ** 2).sum(axis=1) for each in found]
        nearer = np.where(distances[0] <= distances[1], found[0], found[1])
        return np.where(self._missing(x), np.nan, nearer)

    def _value_blocks(self) -> list[Block]:
        return [Block("gaussian", self.start, self.start + 2)]
