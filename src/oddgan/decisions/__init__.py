"""Decisions from scores.

- :mod:`.conformal`: thresholds and p-values; :mod:`.discoveries`: false discovery rate.
- :mod:`.costs`: the threshold of least cost; :mod:`.probability`: calibrated probabilities.
- :mod:`.drift`: whether a new batch differs from normal samples.
"""

from .conformal import check_share, conformal_p_values, conformal_threshold, smallest_sample
from .costs import CostThreshold, cost_threshold
from .discoveries import discoveries
from .drift import Drift, drift
from .probability import ProbaCalibration, ProbaMethod, check_method, proba_calibration

__all__ = [
    "CostThreshold",
    "Drift",
    "ProbaCalibration",
    "ProbaMethod",
    "check_method",
    "check_share",
    "conformal_p_values",
    "conformal_threshold",
    "cost_threshold",
    "discoveries",
    "drift",
    "proba_calibration",
    "smallest_sample",
]
