"""Distances to the nearest of a bounded set of reference samples, and the density of these.

The score of a sample must not depend on the rest of its batch. The search computes distances by a
matrix product, whose rounding does depend on it; the search therefore only proposes candidates,
and their distances are computed again. References at the same distance share their weight, in
whatever order the search finds them.
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

#: Neighbours that a density is estimated from.
N_NEIGHBOURS = 20
#: Distances that differ by less than this share are equal: networks compute in 32 bit.
_TIE = 1e-5
#: Candidates beyond the requested neighbours, usually enough to see where a tie ends.
_SPARE = 8
#: Lower bound of the radius and the error of a reference, as a share of the median: those of
#: duplicates may be 0, and are divided by.
_LEAST = 1e-3
#: A direction with less than this share of the largest root mean square is rounding error.
_NO_SPREAD = 1e-6
#: Maximum number of array elements in memory at a time.
_BLOCK = 2**23


class NeighborStatistics(NamedTuple):
    """Means over the k nearest references of n samples, each (n,).

    Attributes
    ----------
    distance : ndarray
        Distance from the sample.
    radius : ndarray
        Distance of the references to their `N_NEIGHBOURS` nearest other references.
    error : ndarray
        Mean squared residual of the references (NaN if it is unknown).
    """

    distance: Floats
    radius: Floats
    error: Floats


@dataclass(frozen=True)
class NeighborIndex:
    """Reference samples from the training set in one space, for nearest-neighbour distances.

    Attributes
    ----------
    rows : ndarray of shape (u, d), 32 bit
        The distinct references.
    counts : ndarray of shape (u,)
        How often each occurs.
    centre, spread : ndarray of shape (d,)
        Distances are between rows scaled as ``(rows - centre) / spread``.
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
        """Use samples as references.

        Parameters
        ----------
        rows : ndarray of shape (m, d)
            The samples, m >= 2; stored in 32 bit.
        standardised : bool
            Whether to divide each direction by its standard deviation.
        errors : ndarray of shape (m,) or None
            Their mean squared residuals.
        """
        if len(rows) < 2:
            raise ValueError(f"distances to neighbours need 2 or more samples, not {len(rows)}")
        distinct, inverse, counts = _distinct(rows)
        samples = finite_rows(rows)
        centre, spread = samples.mean(0), np.ones(rows.shape[1])
        if standardised:
            deviation = samples.std(0)
            largest = np.sqrt(np.square(samples).mean(0)).max()
            spread = np.where(deviation > _NO_SPREAD * largest, deviation, 1.0)
        mean_errors = np.full(len(counts), np.nan)
        if errors is not None:
            mean_errors = _off_zero(np.bincount(inverse, errors) / counts)
        unknown = np.full(len(counts), np.nan)
        index = cls(distinct, counts, centre, spread, unknown, mean_errors)
        statistics = index._statistics(index._points, (N_NEIGHBOURS,), leave_out_self=True)
        return cls(distinct, counts, centre, spread, _off_zero(statistics[0, 0]), mean_errors)

    def neighbors(self, rows: NDArray[Any], ks: Sequence[int]) -> dict[int, NeighborStatistics]:
        """Return statistics of the k nearest references of samples, (n, d), for each k.

        There are at most as many neighbours as references, less one.
        """
        statistics = self._statistics(self._scaled(rows), ks, leave_out_self=False)
        return {k: NeighborStatistics(*statistics[i]) for i, k in enumerate(ks)}

    def nearest(self, rows: NDArray[Any], k: int) -> tuple[Floats, Floats]:
        """Return the mean of the k nearest references of each sample, and their distances from it.

        Parameters
        ----------
        rows : ndarray of shape (n, d)
            Samples.
        k : int
            Number of neighbours, at most as many as references, less one.

        Returns
        -------
        mean : ndarray of shape (n, d)
            The mean of the neighbours.
        squares : ndarray of shape (n, d)
            The mean of the squared differences between a sample and its neighbours.
        """
        k = min(k, int(self.counts.sum()) - 1)
        samples, references = finite_rows(rows), self.rows.astype(np.float64)
        mean, squares = np.empty_like(samples), np.empty_like(samples)
        blocks = self._candidates(self._scaled(rows), k, leave_out_self=False)
        for where, index, distances in blocks:
            weights = _weights(distances, self.counts[index], k)
            row, column = np.nonzero(weights)
            shape = (len(where), len(references))
            shares = csr_array((weights[row, column], (row, index[row, column])), shape)
            mean[where] = shares @ references
            squares[where] = shares @ np.square(references)
        # The variance of neighbours suffers from cancellation far from the origin: never below 0.
        from_mean = np.square(samples - mean)
        return mean, from_mean + np.maximum(squares - np.square(mean), 0)

    def to_state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to save."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the index whose `to_state` gave `state`."""
        return cls(**state)

    @cached_property
    def _points(self) -> Floats:
        return self._scaled(self.rows)

    @cached_property
    def _search(self) -> NearestNeighbors:
        return NearestNeighbors().fit(self._points)

    def _scaled(self, rows: NDArray[Any]) -> Floats:
        return (finite_rows(rows) - self.centre) / self.spread

    def _statistics(self, z: Floats, ks: Sequence[int], *, leave_out_self: bool) -> Floats:
        """Return `NeighborStatistics` of scaled rows for each k, shape (len(ks), 3, n).

        With `leave_out_self` the rows of `z` are the references, and each leaves itself out, once.
        """
        max_k = int(self.counts.sum()) - 1
        statistics = np.empty((len(ks), 3, len(z)))
        capped = [min(k, max_k) for k in ks]
        for where, index, distances in self._candidates(z, max(capped), leave_out_self):
            counts = self.counts[index]
            if leave_out_self:
                counts = counts - (index == where[:, None])
            values = (distances, self.radii[index], self.errors[index])
            for i, k in enumerate(capped):
                weights = _weights(distances, counts, k)
                statistics[i, :, where] = np.stack([(weights * v).sum(1) for v in values], axis=1)
        return statistics

    def _candidates(
        self, z: Floats, k: int, leave_out_self: bool
    ) -> Iterator[tuple[Indices, Indices, Floats]]:
        """Yield, block by block, row numbers, candidate references and the distances to them.

        The candidates include the k nearest references and all that tie with the last of these.
        """
        n_distinct, d = self._points.shape
        n_candidates = min(n_distinct, k + leave_out_self + _SPARE)
        proposals = (
            self._search.kneighbors(z, n_candidates, return_distance=False) if len(z) else None
        )
        incomplete: list[Indices] = []
        for where in _blocks(np.arange(len(z)), n_candidates * d):
            index = cast("Indices", proposals)[where]
            distances = np.linalg.norm(z[where, None] - self._points[index], axis=2)
            counts = self.counts[index] - (leave_out_self & (index == where[:, None]))
            end = _radius(distances, counts, k) * (1 + _TIE)
            complete = (distances.max(1) > end) | (n_candidates == n_distinct)
            incomplete.append(where[~complete])
            yield where[complete], index[complete], distances[complete]
        for where in _blocks(np.concatenate([*incomplete, np.empty(0, np.int64)]), n_distinct):
            index = np.broadcast_to(np.arange(n_distinct), (len(where), n_distinct))
            yield where, index, cdist(z[where], self._points)


def finite_rows(rows: NDArray[Any]) -> Floats:
    """Return rows in 64 bit, with the largest 32-bit number in place of non-finite values."""
    largest = float(np.finfo(np.float32).max)
    values = np.asarray(rows, dtype=np.float64)
    return np.nan_to_num(values, nan=largest, posinf=largest, neginf=-largest)


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[np.float32], Indices, Indices]:
    """Return the distinct rows in 32 bit, the index of each row in them, and their counts."""
    single = np.ascontiguousarray(finite_rows(rows), dtype=np.float32) + np.float32(0)  # -0 is 0
    keys = single.view(np.dtype((np.void, single.itemsize * single.shape[1]))).ravel()
    _, first, inverse, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    return single[first], inverse.reshape(-1), counts


def _off_zero(values: Floats) -> Floats:
    """Raise non-negative values to at least a small share of the median of the positive ones."""
    positive = values[values > 0]
    return np.maximum(values, _LEAST * np.median(positive) if len(positive) else 1.0)


def _blocks(rows: Indices, row_size: int) -> Iterator[Indices]:
    """Split rows of `row_size` elements each into blocks that fit in memory."""
    size = max(1, _BLOCK // row_size)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _radius(distances: Floats, counts: Indices, k: int) -> Floats:
    """Return the distance to the k-th nearest candidate, shape (n,); each counts `counts` times."""
    order = distances.argsort(axis=1)
    total = np.take_along_axis(counts, order, axis=1).cumsum(axis=1)
    last = (total >= k).argmax(axis=1)[:, None]
    return np.take_along_axis(distances, np.take_along_axis(order, last, axis=1), axis=1)[:, 0]


def _weights(distances: Floats, counts: Indices, k: int) -> Floats:
    """Return the weight of each candidate among the k nearest; those of a sample sum to 1.

    Candidates that tie for the last of the k neighbours share its weight.
    """
    radius = _radius(distances, counts, k)[:, None]
    inside = counts * (distances < radius * (1 - _TIE))
    tied = counts * (np.abs(distances - radius) <= radius * _TIE)
    remaining = k - inside.sum(1, keepdims=True)
    weights: Floats = (inside + tied * (remaining / tied.sum(1, keepdims=True))) / k
    return weights
