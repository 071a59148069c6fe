"""A common scale for all components of a score: that of held-out normal samples."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each component over normal samples.

    Attributes
    ----------
    means, deviations : mapping of str to float
        By name of the component.
    """

    means: Mapping[str, float]
    deviations: Mapping[str, float]

    @classmethod
    def fit(cls, components: Mapping[str, NDArray[np.float64]]) -> Self:
        """Fit to `components` of shape (n,) each; the deviation of a constant one is 1.

        Raises
        ------
        ValueError
            A component is not finite.
        """
        for name, values in components.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"combine='standardised': the component {name} of a held-out normal sample is "
                    "not finite; scale the data, or leave out samples like this"
                )
        return cls(
            {name: float(values.mean()) for name, values in components.items()},
            {name: float(values.std()) or 1.0 for name, values in components.items()},
        )

    def apply(self, components: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``(component - mean) / deviation`` for each component.

        Raises
        ------
        ValueError
            The scale was fitted without one of the components.
        """
        if missing := components.keys() - self.means.keys():
            raise ValueError(
                f"combine='standardised' has no scale for the component(s) {sorted(missing)}: fit "
                "with the score that has them"
            )
        return {
            name: (values - self.means[name]) / self.deviations[name]
            for name, values in components.items()
        }


#: The standard deviation of a normal distribution, as a share of its interquartile range.
_IQR = 1.349
#: Added to a component before its logarithm is taken, as a share of its median.
_FLOOR = 1e-3


@dataclass(frozen=True)
class RobustScale:
    """Median and spread of each component, or of its logarithm, over normal samples.

    Attributes
    ----------
    medians, spreads : mapping of str to float
        By name of the component. The spread is the interquartile range in units of that of a
        standard normal distribution; the standard deviation if that is 0, and 1 if both are.
    floors : mapping of str to float
        Added to a component before its logarithm is taken, for components on a logarithmic scale.
    """

    medians: Mapping[str, float]
    spreads: Mapping[str, float]
    floors: Mapping[str, float]

    @classmethod
    def fit(
        cls, components: Mapping[str, NDArray[np.float64]], logarithmic: Collection[str]
    ) -> Self:
        """Fit to `components` of shape (n,) each; to the logarithm of the `logarithmic` ones.

        Raises
        ------
        ValueError
            A component is not finite.
        """
        for name, values in components.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"score_name: the component {name} of a held-out normal sample is not finite; "
                    "scale the data, or leave out samples like this"
                )
        floors = {n: _floor(values) for n, values in components.items() if n in logarithmic}
        values_by_name = _with_logarithms(components, floors)
        return cls(
            {name: float(np.median(values)) for name, values in values_by_name.items()},
            {name: _spread(values) for name, values in values_by_name.items()},
            floors,
        )

    def apply(
        self, components: Mapping[str, NDArray[np.float64]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return ``(component - median) / spread``, of the logarithm where there is a floor."""
        values_by_name = _with_logarithms(components, self.floors)
        return {n: (v - self.medians[n]) / self.spreads[n] for n, v in values_by_name.items()}


def _with_logarithms(
    components: Mapping[str, NDArray[np.float64]], floors: Mapping[str, float]
) -> dict[str, NDArray[np.float64]]:
    """Return ``log(component + floor)`` of the components with a floor, and the others as is."""
    return {n: np.log(v + floors[n]) if n in floors else v for n, v in components.items()}


def _floor(values: NDArray[np.float64]) -> float:
    """Return a small share of the median, or of the mean if the median is 0."""
    return _FLOOR * float(np.median(values) or values.mean() or 1.0)


def _spread(values: NDArray[np.float64]) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float((high - low) / _IQR or values.std() or 1.0)
