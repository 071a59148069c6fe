"""One scale for all parts of a score: that of held-out normal samples."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each part over normal samples.

    Attributes
    ----------
    means, deviations : mapping of str to float
        By name of the part.
    """

    means: Mapping[str, float]
    deviations: Mapping[str, float]

    @classmethod
    def fit(cls, parts: Mapping[str, NDArray[np.float64]]) -> Self:
        """Learn the scale from `parts` of shape (n,) each; one that never varies keeps its own.

        Raises
        ------
        ValueError
            A part is not finite.
        """
        for name, values in parts.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"combine='standardised': the part {name} of a held-out normal sample is not "
                    "finite; scale the data, or leave such samples out"
                )
        return cls(
            {name: float(values.mean()) for name, values in parts.items()},
            {name: float(values.std()) or 1.0 for name, values in parts.items()},
        )

    def apply(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``(part - mean) / deviation`` for each part.

        Raises
        ------
        ValueError
            A part was not there when the scale was learnt.
        """
        if missing := parts.keys() - self.means.keys():
            raise ValueError(
                f"combine='standardised' has no scale for the part(s) {sorted(missing)}: fit with "
                "the score that is asked for"
            )
        return {
            name: (values - self.means[name]) / self.deviations[name]
            for name, values in parts.items()
        }


#: The standard deviation of a normal distribution, as a share of its interquartile range.
_IQR = 1.349
#: What is added to a part before its logarithm is taken, as a share of its median.
_FLOOR = 1e-3


@dataclass(frozen=True)
class RobustScale:
    """Median and spread of each part, or of its logarithm, over normal samples.

    Attributes
    ----------
    medians, spreads : mapping of str to float
        By name of the part. The spread is the interquartile range in units of that of a normal
        distribution; where it is 0, the standard deviation, and where that is 0 too, 1.
    floors : mapping of str to float
        What is added to a part before its logarithm is taken, for the parts that are so scaled.
    """

    medians: Mapping[str, float]
    spreads: Mapping[str, float]
    floors: Mapping[str, float]

    @classmethod
    def fit(cls, parts: Mapping[str, NDArray[np.float64]], logarithmic: Collection[str]) -> Self:
        """Learn the scale from `parts` of shape (n,) each; of `logarithmic` ones by their log.

        Raises
        ------
        ValueError
            A part is not finite.
        """
        for name, values in parts.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"score: the part {name} of a held-out normal sample is not finite; scale the "
                    "data, or leave such samples out"
                )
        floors = {n: _floor(values) for n, values in parts.items() if n in logarithmic}
        scaled = {n: np.log(v + floors[n]) if n in floors else v for n, v in parts.items()}
        return cls(
            {name: float(np.median(values)) for name, values in scaled.items()},
            {name: _spread(values) for name, values in scaled.items()},
            floors,
        )

    def apply(self, parts: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """Return ``(part - median) / spread``, or that of ``log(part + floor)``, for each part."""
        found = {n: np.log(v + self.floors[n]) if n in self.floors else v for n, v in parts.items()}
        return {n: (v - self.medians[n]) / self.spreads[n] for n, v in found.items()}


def _floor(values: NDArray[np.float64]) -> float:
    """Return a small share of the median; of the mean where most values are 0."""
    return _FLOOR * float(np.median(values) or values.mean() or 1.0)


def _spread(values: NDArray[np.float64]) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / _IQR or values.std() or 1.0)
