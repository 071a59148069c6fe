"""Where and in what precision to compute."""

import os
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Device = Literal["auto", "cpu", "cuda"]
PRECISIONS = ("32-true", "bf16-mixed")


def find_device(device: str) -> torch.device:
    """Return the device that is meant by "auto", "cpu" or "cuda".

    Raises
    ------
    ValueError
        The device is "cuda" and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError('device="cuda" was asked for, but PyTorch finds no CUDA device here')
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return torch.device(chosen, 0) if chosen == "cuda" else torch.device(chosen)


def make_fabric(device: str, precision: str) -> "Fabric":
    """Return the Fabric for `device` ("auto", "cpu", "cuda") and `precision`.

    Raises
    ------
    ValueError
        As `find_device`.
    """
    # It imports half of PyTorch: who trains nothing need not wait for that.
    from lightning_fabric import Fabric

    accelerator = find_device(device).type
    return Fabric(accelerator=accelerator, devices=1, precision=precision)  # type: ignore[arg-type]


def memory_budget(device: torch.device) -> int:
    """Return how many bytes of training rows `device` may hold: a quarter of its memory.

    Of all of it, not of what is free now: whether rows are streamed has an influence on their
    order, which must be the same in every run on a machine.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 4
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
