"""Combine detectors of OddGAN, scikit-learn and PyOD, with one guarantee on false alarms."""

from typing import Any

from numpy.typing import NDArray

from .combination import Combination
from .serialization import from_state

__all__ = ["Combination", "restored"]


def restored(
    header: dict[str, Any], arrays: dict[str, NDArray[Any]], device: str | None, path: str
) -> Combination:
    """Return the fitted combination whose model file holds `header` and `arrays`.

    Raises
    ------
    ValueError
        A member has an unsupported kind or version; the message names it.
    """
    params, fitted = from_state(header, arrays, device, path)
    combination = Combination(**params)
    combination.fitted_ = fitted
    return combination
