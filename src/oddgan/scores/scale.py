"""One scale for all parts of a score: that of held-out normal samples."""

from collections.abc import Mapping
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
    def of(cls, parts: Mapping[str, NDArray[np.float64]]) -> Self:
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
