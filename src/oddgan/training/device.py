"""Device, precision and memory of a run."""

import os
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Device = Literal["auto", "cpu", "cuda"]
PRECISIONS = ("32-true", "bf16-mixed")


def find_device(device: str) -> torch.device:
    """Return the device for "auto", "cpu" or "cuda".

    Raises
    ------
    ValueError
        The device is "cuda" but there is no CUDA device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError('device="cuda", but PyTorch finds no CUDA device on this machine')
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return torch.device(kind, 0) if kind == "cuda" else torch.device(kind)


def make_fabric(device: str, precision: str) -> "Fabric":
    """Return the Fabric for `device` ("auto", "cpu", "cuda") and `precision`.

    Raises
    ------
    ValueError
        As `find_device`.
    """
    # This imports half of PyTorch: only training needs to wait for it.
    from lightning_fabric import Fabric

    accelerator = find_device(device).type
    return Fabric(accelerator=accelerator, devices=1, precision=precision)  # type: ignore[arg-type]


def memory_budget(device: torch.device) -> int:
    """Return how many bytes of training rows `device` may hold: a quarter of its memory.

    A quarter of the total and not of the free memory: streaming affects the order of the rows,
    which must be the same in every run on a machine.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 4
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
