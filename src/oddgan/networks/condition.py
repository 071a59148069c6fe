"""Known context: what a sample may be judged by, beside itself (Mirza and Osindero 2014).

A conditional network p(x | c) or D(x | c) has its context c in every layer, as the DCGAN's
conditional code has: to concatenate c to a layer's input is to add a linear map of c to its output.
So the bodies are built without a thought of it; :func:`condition_layers` puts it in afterwards, and
:func:`given` says what it is while networks are called.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from typing_extensions import override

_CONDITION: ContextVar[Tensor | None] = ContextVar("condition", default=None)


def current_condition() -> Tensor | None:
    """Return the context of the samples that networks are being called with, (n, k), or None."""
    return _CONDITION.get()


@contextmanager
def given(condition: Tensor | None) -> Iterator[None]:
    """Call networks with n samples whose context is `condition`, of shape (n, k)."""
    token = _CONDITION.set(condition)
    try:
        yield
    finally:
        _CONDITION.reset(token)


def given_rows(index: Tensor | slice) -> AbstractContextManager[None]:
    """Call networks with some of the samples: the rows `index` of the current context, if any."""
    condition = current_condition()
    return given(None if condition is None else condition[index])


class Conditioned(nn.Module):
    """A layer plus a linear map of the context.

    Parameters
    ----------
    layer : nn.Linear, nn.Conv2d or nn.ConvTranspose2d
        The layer.
    n_condition : int
        Length k of the encoded context.
    """

    def __init__(self, layer: nn.Module, n_condition: int) -> None:
        super().__init__()
        self.layer = layer
        n = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
        self.context = nn.Parameter(torch.empty(n, n_condition))  # type: ignore[arg-type]

    def draw(self, generator: torch.Generator) -> None:
        """Draw the map by Glorot's rule whatever the other weights' is: c is short."""
        nn.init.xavier_uniform_(self.context, generator=generator)

    @override
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        condition = current_condition()
        if condition is None:
            raise RuntimeError("a conditional network was called outside `given(condition)`")
        if len(condition) != len(out):
            raise RuntimeError(f"context of {len(condition)} samples for a batch of {len(out)}")
        shift = condition.to(out.dtype) @ self.context.to(out.dtype).T
        return out + shift[(..., *[None] * (out.ndim - 2))]


def bare(layer: nn.Module) -> nn.Module:
    """Return the layer itself of one that may have a context: where its weights are."""
    return layer.layer if isinstance(layer, Conditioned) else layer


def without_context(layer: nn.Module) -> None:
    """Let `layer` never have a context.

    Behind the last nonlinearity of a critic it would add the same to the values of real and
    generated samples, whose difference is all that is trained.
    """
    layer.without_context = True  # type: ignore[assignment]


def condition_layers(module: nn.Module, n_condition: int) -> None:
    """Give every linear and convolutional layer below `module` the context, in place."""
    for name, child in module.named_children():
        if getattr(child, "without_context", False):
            continue
        if isinstance(child, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            setattr(module, name, Conditioned(child, n_condition))
        else:
            condition_layers(child, n_condition)
