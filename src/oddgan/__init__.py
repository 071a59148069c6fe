"""OddGAN: anomaly detection with generative adversarial networks, in images and in tables."""

from .detectors import *  # noqa: F403
from .training import TrainingError as TrainingError

__version__ = "0.1.0"
