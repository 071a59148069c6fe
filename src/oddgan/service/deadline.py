"""Work that stops when nobody waits for it any more.

A thread cannot be ended from outside. So the networks of a served model ask, before each forward
pass of a layer, whether the work of their thread is still wanted: a latent search of hundreds of
steps stops within the step that it is in. Between two chunks of samples it is asked too.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

_work = threading.local()


class Stopped(Exception):  # noqa: N818 (it is wanted)
    """Nobody waits for the answer any more."""


@contextmanager
def stopping(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Stop the work of this thread, by raising `Stopped`, as soon as it is `unwanted`."""
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
    """Let every layer of these networks check before each of its passes."""
    for network in networks.values():
        for layer in network.modules():
            layer.register_forward_pre_hook(_before)


def _before(_layer: nn.Module, _inputs: Any) -> None:
    # A function of the module: copies of a network that a search makes keep it.
    check()
