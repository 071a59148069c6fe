"""Training: the one loop that every detector is trained by."""

from .checkpoint import Checkpoint
from .device import PRECISIONS, make_fabric, memory_budget
from .loop import Loss, LossFunction, Settings, Trainer
from .progress import Progress, RichProgress, Silent
from .rows import DeviceRows, Rows, StreamedRows
from .watch import TrainingError

__all__ = [
    "PRECISIONS",
    "Checkpoint",
    "DeviceRows",
    "Loss",
    "LossFunction",
    "Progress",
    "RichProgress",
    "Rows",
    "Settings",
    "Silent",
    "StreamedRows",
    "Trainer",
    "TrainingError",
    "make_fabric",
    "memory_budget",
]
