"""OddGAN: anomaly detection with generative adversarial networks, in images and in tables."""

import os as _os
from importlib.metadata import version as _version

# Must be set before PyTorch is loaded. OpenMP's threads otherwise spin while they wait for each
# other; where another program keeps one core busy, training is then 8 to 20 times slower.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from .combination import Combination
from .detectors import *  # noqa: F403
from .detectors import (
    BaseDetector,
    Detector,
    ImageExplanation,
    TableExplanation,
    all_detectors,
)
from .health import HealthWarning
from .interop import to_pyod
from .models import load
from .training import TrainingError

__version__ = _version("oddgan")

__all__ = [
    "BaseDetector",
    "Combination",
    "Detector",
    "HealthWarning",
    "ImageExplanation",
    "TableExplanation",
    "TrainingError",
    "all_detectors",
    "load",
    "to_pyod",
    *(cls.__name__ for cls in all_detectors().values()),
]
