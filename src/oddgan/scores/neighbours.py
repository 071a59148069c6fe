"""Distances to the nearest of a bounded set of reference samples, and how dense these lie.

A score must not depend on its batch mates. The search itself computes distances by a matrix
product, whose rounding does; so it only proposes candidates, and their distances are computed
anew. References at the same distance share their weight, whichever of them the search came upon.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Neighbours by which a density is estimated.
N_NEIGHBOURS = 20
#: Distances that differ by less than this share are equal: networks compute in 32 bit.
_TIE = 1e-5
#: Candidates beyond the neighbours that are asked for: enough of them see where a tie ends.
_SPARE = 8
#: No reference is nearer to its neighbours, or reconstructed better, than this share of the
#: median: nothing is divided by the 0 of duplicates.
_LEAST = 1e-3
#: A direction with less than this share of the largest root mean square is rounding.
_NO_SPREAD = 1e-6
#: Numbers that are held at a time.
_BLOCK = 2**23


class Near(NamedTuple):
    """What n samples have around them: means over their k nearest references, each (n,).

    Attributes
    ----------
    distance : ndarray
        The distance to them.
    radius : ndarray
        Their own distance to their `N_NEIGHBOURS` nearest other references.
    error : ndarray
        The mean squared residual that they are reconstructed with (NaN if it is not known).
    """

    distance: Floats
    radius: Floats
    error: Floats


@dataclass(frozen=True)
class NeighborIndex:
    """Samples of the training set in one space, to measure distances to.

    Attributes
    ----------
    rows : ndarray of shape (u, d), 32 bit
        The distinct ones.
    counts : ndarray of shape (u,)
        How often each is there.
    centre, spread : ndarray of shape (d,)
        Distances are those of ``(rows - centre) / spread``.
    radii : ndarray of shape (u,)
        Mean distance of each to its nearest other references.
    errors : ndarray of shape (u,)
        Mean squared residual of each.
    """

    rows: NDArray[np.float32]
    counts: Indices
    centre: Floats
    spread: Floats
    radii: Floats
    errors: Floats

    @classmethod
    def fit(
        cls, rows: NDArray[Any], *, standardised: bool = False, errors: Floats | None = None
    ) -> Self:
        """Take samples as references.

        Parameters
        ----------
        rows : ndarray of shape (m, d)
            The samples, m >= 2; kept in 32 bit.
        standardised : bool
            Whether each direction is divided by its standard deviation.
        errors : ndarray of shape (m,) or None
            Their mean squared residuals.
        """
        if len(rows) < 2:
            raise ValueError(f"distances to neighbours need 2 or more samples, not {len(rows)}")
        distinct, inverse, counts = _distinct(rows)
        exact = finite_rows(rows)
        centre, spread = exact.mean(0), np.ones(rows.shape[1])
        if standardised:
            deviation = exact.std(0)
            largest = np.sqrt(np.square(exact).mean(0)).max()
            spread = np.where(deviation > _NO_SPREAD * largest, deviation, 1.0)
        mean_errors = np.full(len(counts), np.nan)
        if errors is not None:
            mean_errors = _off_zero(np.bincount(inverse, errors) / counts)
        unknown = np.full(len(counts), np.nan)
        found = cls(distinct, counts, centre, spread, unknown, mean_errors)
        radii = _off_zero(found._around(found._points, (N_NEIGHBOURS,), itself=True)[0, 0])
        return cls(distinct, counts, centre, spread, radii, mean_errors)

    def near(self, rows: NDArray[Any], ks: Sequence[int]) -> dict[int, Near]:
        """Return what samples, (n, d), have around them, for each number k of neighbours.

        There are at most as many neighbours as there are references but one.
        """
        found = self._around(self._placed(rows), ks, itself=False)
        return {k: Near(*found[i]) for i, k in enumerate(ks)}

    def nearest(self, rows: NDArray[Any], k: int) -> tuple[Floats, Floats]:
        """Return the mean of the k references nearest to each sample, and how far these lie.

        Parameters
        ----------
        rows : ndarray of shape (n, d)
            Samples.
        k : int
            Neighbours, at most as many as there are references but one.

        Returns
        -------
        mean : ndarray of shape (n, d)
            The mean of the neighbours.
        squares : ndarray of shape (n, d)
            The mean of the squared differences between a sample and its neighbours.
        """
        k = min(k, int(self.counts.sum()) - 1)
        exact, known = finite_rows(rows), self.rows.astype(np.float64)
        mean, squares = np.empty_like(exact), np.empty_like(exact)
        for where, index, distances in self._candidates(self._placed(rows), k, itself=False):
            weights = _weights(distances, self.counts[index], k)
            row, column = np.nonzero(weights)
            shape = (len(where), len(known))
            shares = csr_array((weights[row, column], (row, index[row, column])), shape)
            mean[where] = shares @ known
            squares[where] = shares @ np.square(known)
        # The squares of what is far from all references cancel: never below the mean's own.
        away = np.square(exact - mean)
        return mean, away + np.maximum(squares - np.square(mean), 0)

    def to_state(self) -> dict[str, NDArray[Any]]:
        """Return what a file must hold."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the references that `to_state` described."""
        return cls(**state)

    @cached_property
    def _points(self) -> Floats:
        return self._placed(self.rows)

    @cached_property
    def _search(self) -> NearestNeighbors:
        return NearestNeighbors().fit(self._points)

    def _placed(self, rows: NDArray[Any]) -> Floats:
        return (finite_rows(rows) - self.centre) / self.spread

    def _around(self, z: Floats, ks: Sequence[int], *, itself: bool) -> Floats:
        """Return the means of `Near` over the k nearest, shape (len(ks), 3, n).

        With `itself` the rows of `z` are the references, and each leaves itself out, once.
        """
        most = int(self.counts.sum()) - 1
        known = (self.radii, self.errors)
        found = np.empty((len(ks), 3, len(z)))
        capped = [min(k, most) for k in ks]
        for where, index, distances in self._candidates(z, max(capped), itself):
            counts = self.counts[index]
            if itself:
                counts = counts - (index == where[:, None])
            for i, k in enumerate(capped):
                weights = _weights(distances, counts, k)
                values = (distances, *(value[index] for value in known))
                found[i, :, where] = np.stack([(weights * v).sum(1) for v in values], axis=1)
        return found

    def _candidates(
        self, z: Floats, k: int, itself: bool
    ) -> Iterator[tuple[Indices, Indices, Floats]]:
        """Yield, block by block, which rows these are, references and the distances to them.

        Among these references are the k nearest and all that tie with the last of these.
        """
        n_distinct, d = self._points.shape
        most = min(n_distinct, k + itself + _SPARE)
        proposed = self._search.kneighbors(z, most, return_distance=False) if len(z) else None
        unsure: list[Indices] = []
        for where in _blocks(np.arange(len(z)), most * d):
            index = cast("Indices", proposed)[where]
            distances = np.linalg.norm(z[where, None] - self._points[index], axis=2)
            counts = self.counts[index] - (itself & (index == where[:, None]))
            end = _radius(distances, counts, k) * (1 + _TIE)
            sure = (distances.max(1) > end) | (most == n_distinct)
            unsure.append(where[~sure])
            yield where[sure], index[sure], distances[sure]
        for where in _blocks(np.concatenate([*unsure, np.empty(0, np.int64)]), n_distinct):
            index = np.broadcast_to(np.arange(n_distinct), (len(where), n_distinct))
            yield where, index, cdist(z[where], self._points)


def finite_rows(rows: NDArray[Any]) -> Floats:
    """Return rows in 64 bit, with the largest 32-bit number in place of what is not finite."""
    largest = float(np.finfo(np.float32).max)
    exact = np.asarray(rows, dtype=np.float64)
    return np.nan_to_num(exact, nan=largest, posinf=largest, neginf=-largest)


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[np.float32], Indices, Indices]:
    """Return the distinct rows in 32 bit, which of them each row is, and how often each is."""
    single = np.ascontiguousarray(finite_rows(rows), dtype=np.float32) + np.float32(0)  # -0 is 0
    keys = single.view(np.dtype((np.void, single.itemsize * single.shape[1]))).ravel()
    _, first, inverse, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    return single[first], inverse.reshape(-1), counts


def _off_zero(values: Floats) -> Floats:
    """Return non-negative values, none below a small share of the median of those above 0."""
    positive = values[values > 0]
    return np.maximum(values, _LEAST * np.median(positive) if len(positive) else 1.0)


def _blocks(rows: Indices, numbers: int) -> Iterator[Indices]:
    """Split rows of so many numbers each into blocks that fit the memory."""
    size = max(1, _BLOCK // numbers)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _radius(distances: Floats, counts: Indices, k: int) -> Floats:
    """Return the distance to the k-th nearest, shape (n,), of candidates that count so often."""
    order = distances.argsort(axis=1)
    total = np.take_along_axis(counts, order, axis=1).cumsum(axis=1)
    last = (total >= k).argmax(axis=1)[:, None]
    return np.take_along_axis(distances, np.take_along_axis(order, last, axis=1), axis=1)[:, 0]


def _weights(distances: Floats, counts: Indices, k: int) -> Floats:
    """Return the share of each candidate among the k nearest; the shares of a sample sum to 1.

    Those that tie for the last places share them.
    """
    radius = _radius(distances, counts, k)[:, None]
    inside = counts * (distances < radius * (1 - _TIE))
    tied = counts * (np.abs(distances - radius) <= radius * _TIE)
    left = k - inside.sum(1, keepdims=True)
    weights: Floats = (inside + tied * (left / tied.sum(1, keepdims=True))) / k
    return weights
