"""Several detectors as one: ours, scikit-learn's and PyOD's, on one scale and with one promise."""

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
        A member is of a kind, or of a version, that is not read; the message names it.
    """
    params, fitted = from_state(header, arrays, device, path)
    combination = Combination(**params)
    combination.fitted_ = fitted
    return combination
