"""Training: the one loop that every detector is trained by."""

from .checkpoint import Checkpoint
from .corrupt import add_noise, shift, swap_cells, warp
from .device import PRECISIONS, find_device, make_fabric, memory_budget
from .loop import Loss, LossFunction, Settings, Trainer
from .losses import critic_loss, discriminator_loss, gradient_penalty, parts, r1_penalty
from .progress import Progress, RichProgress, Silent
from .rows import DeviceRows, EnsembleRows, Rows, StreamedRows
from .watch import TrainingError

__all__ = [
    "PRECISIONS",
    "Checkpoint",
    "DeviceRows",
    "EnsembleRows",
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
    "add_noise",
    "critic_loss",
    "discriminator_loss",
    "find_device",
    "gradient_penalty",
    "make_fabric",
    "memory_budget",
    "parts",
    "r1_penalty",
    "shift",
    "swap_cells",
    "warp",
]
