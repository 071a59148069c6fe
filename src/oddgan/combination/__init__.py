"""Several detectors as one: ours, scikit-learn's and PyOD's, on one scale and with one promise."""

from ._combination import Combination
from ._store import restored

__all__ = ["Combination", "restored"]
