"""The distance from normal samples in units of their own covariance (Mahalanobis 1936)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from .neighbours import Floats, finite_rows

#: Most numbers of a sample whose covariance is estimated.
MOST_COVARIATES = 1024


@dataclass(frozen=True)
class Gaussian:
    """Mean and inverse covariance of samples in one space.

    Attributes
    ----------
    mean : ndarray of shape (d,)
        The mean.
    precision : ndarray of shape (d, d)
        The inverse of the covariance, shrunk towards a multiple of the identity (Ledoit and Wolf
        2004), so that it exists however few the samples are.
    """

    mean: Floats
    precision: Floats

    @classmethod
    def fit(cls, rows: NDArray[Any]) -> Self:
        """Learn from samples, shape (m, d) with d of at most `MOST_COVARIATES`."""
        found = LedoitWolf().fit(finite_rows(rows))
        # Samples that are all alike have no covariance to measure in.
        known = found.covariance_.any()
        return cls(found.location_, found.precision_ if known else np.eye(rows.shape[1]))

    def distance(self, rows: NDArray[Any]) -> Floats:
        """Return sqrt((x - mean)' precision (x - mean)) of samples x, shape (n,)."""
        distances: Floats = np.sqrt(np.maximum(self.added(rows).sum(1), 0))
        return distances

    def added(self, rows: NDArray[Any]) -> Floats:
        """Return what each number adds to the squared distance, shape (n, d).

        (x - mean)_i (precision (x - mean))_i: the sum is the squared distance, and single ones may
        be below 0 (partial decomposition: Alcala and Qin, Journal of Process Control 21, 2011).
        """
        centred = finite_rows(rows) - self.mean
        added: Floats = centred * (centred @ self.precision)
        return added

    def to_state(self) -> dict[str, NDArray[Any]]:
        """Return what a file must hold."""
        return {"mean": self.mean, "precision": self.precision}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the Gaussian that `to_state` described."""
        return cls(**state)
