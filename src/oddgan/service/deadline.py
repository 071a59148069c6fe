"""Work that stops when no client waits for it any more.

A thread cannot be stopped from outside. So the networks of a served model check before each
forward pass of a layer whether the work of their thread is still wanted: a latent search of
hundreds of steps stops within its current step. Reading samples checks between chunks too.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

_work = threading.local()


class Stopped(Exception):  # noqa: N818 (it is not an error)
    """No client waits for the response any more."""


@contextmanager
def stopping(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Stop the work of this thread with `Stopped` as soon as it is `unwanted`."""
    _work.unwanted = unwanted
    try:
        yield
    finally:
        _work.unwanted = None


def check() -> None:
    """Raise `Stopped` if the work of this thread is unwanted."""
    unwanted: Callable[[], bool] | None = getattr(_work, "unwanted", None)
    if unwanted is not None and unwanted():
        raise Stopped


def watch(networks: Mapping[str, nn.Module]) -> None:
    """Make every layer of these networks check before each forward pass."""
    for network in networks.values():
        for layer in network.modules():
            layer.register_forward_pre_hook(_before)


def _before(_layer: nn.Module, _inputs: Any) -> None:
    # At module level, so that copies of a network for a search keep the hook.
    check()
