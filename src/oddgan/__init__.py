"""OddGAN: anomaly detection with generative adversarial networks, in images and in tables."""

import os as _os

# Must be set before PyTorch is loaded. OpenMP's threads otherwise spin while they wait for each
# other; where another program keeps one core busy, training is then 8 to 20 times slower.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from oddgan.combination import Combination as Combination
from oddgan.detectors import *  # noqa: F403
from oddgan.health import HealthWarning as HealthWarning
from oddgan.interop import to_pyod as to_pyod
from oddgan.models import load as load
from oddgan.training import TrainingError as TrainingError

__version__ = "0.1.0"
