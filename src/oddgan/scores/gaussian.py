"""The distance from normal samples in units of their covariance (Mahalanobis 1936)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from .neighbours import Floats, finite_rows

#: Maximum number of features whose covariance is estimated.
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
        2004): it exists even for few samples.
    """

    mean: Floats
    precision: Floats

    @classmethod
    def fit(cls, rows: NDArray[Any]) -> Self:
        """Fit to samples, shape (m, d) with d of at most `MOST_COVARIATES`."""
        estimate = LedoitWolf().fit(finite_rows(rows))
        # The covariance of identical samples is zero, and has no inverse.
        varies = estimate.covariance_.any()
        return cls(estimate.location_, estimate.precision_ if varies else np.eye(rows.shape[1]))

    def distance(self, rows: NDArray[Any]) -> Floats:
        """Return sqrt((x - mean)' precision (x - mean)) of samples x, shape (n,)."""
        distances: Floats = np.sqrt(np.maximum(self.contributions(rows).sum(1), 0))
        return distances

    def contributions(self, rows: NDArray[Any]) -> Floats:
        """Return the contribution of each feature to the squared distance, shape (n, d).

        (x - mean)_i (precision (x - mean))_i: the sum is the squared distance; single terms may be
        negative (partial decomposition: Alcala and Qin, Journal of Process Control 21, 2011).
        """
        centred = finite_rows(rows) - self.mean
        contributions: Floats = centred * (centred @ self.precision)
        return contributions

    def to_state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to save."""
        return {"mean": self.mean, "precision": self.precision}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """Return the Gaussian whose `to_state` gave `state`."""
        return cls(**state)
