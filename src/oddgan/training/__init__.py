"""Training: the loop that trains every detector.

- :mod:`.loop`: the training loop; :mod:`.ensemble`: several members in one pass.
- :mod:`.rows`: batches of training rows; :mod:`.corrupt`: noise and augmentation of a batch.
- :mod:`.losses`: losses that several methods share.
- :mod:`.monitoring`: loss history, collapse, progress bar; :mod:`.checkpoint`: interruptions.
- :mod:`.device`: device, precision and memory.
"""

from .checkpoint import Checkpoint
from .corrupt import add_noise, affine, shift, swap_cells
from .device import PRECISIONS, find_device, make_fabric, memory_budget
from .loop import Loss, LossFunction, Settings, Trainer
from .losses import batch_slices, critic_loss, discriminator_loss, gradient_penalty, r1_penalty
from .monitoring import Progress, RichProgress, Silent, TrainingError
from .rows import DeviceRows, EnsembleRows, Rows, StreamedRows

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
    "affine",
    "batch_slices",
    "critic_loss",
    "discriminator_loss",
    "find_device",
    "gradient_penalty",
    "make_fabric",
    "memory_budget",
    "r1_penalty",
    "shift",
    "swap_cells",
]
