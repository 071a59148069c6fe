"""Conditional networks (Mirza and Osindero 2014).

A conditional network p(x | c) or D(x | c) has the condition c in every layer, as in the DCGAN's
conditional code: concatenating c to the input of a layer adds a linear map of c to its output.
Networks are built without a condition; :func:`condition_layers` adds it to their layers, and
:func:`given` sets its value while networks are called.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from typing_extensions import override

_CONDITION: ContextVar[Tensor | None] = ContextVar("condition", default=None)


def current_condition() -> Tensor | None:
    """Return the condition that :func:`given` has set, of shape (n, k), or None."""
    return _CONDITION.get()


@contextmanager
def condition_on(condition: Tensor | None) -> Iterator[None]:
    """Set the condition of the n samples that networks are called with, of shape (n, k)."""
    token = _CONDITION.set(condition)
    try:
        yield
    finally:
        _CONDITION.reset(token)


def condition_on_rows(index: Tensor | slice) -> AbstractContextManager[None]:
    """Set the condition to rows `index` of the current one, for networks called with these rows."""
    condition = current_condition()
    return condition_on(None if condition is None else condition[index])


class Conditioned(nn.Module):
    """A layer plus a linear map of the condition.

    Parameters
    ----------
    layer : nn.Linear, nn.Conv2d or nn.ConvTranspose2d
        The layer.
    n_condition : int
        Length k of the encoded condition.
    """

    def __init__(self, layer: nn.Module, n_condition: int) -> None:
        super().__init__()
        self.layer = layer
        n = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
        self.context = nn.Parameter(torch.empty(n, n_condition))  # type: ignore[arg-type]

    def draw(self, generator: torch.Generator) -> None:
        """Draw the map by Glorot's rule, whatever the rule of the other weights: c is short."""
        nn.init.xavier_uniform_(self.context, generator=generator)

    @override
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        condition = current_condition()
        if condition is None:
            raise RuntimeError("a conditional network was called outside `condition_on(condition)`")
        if len(condition) != len(out):
            raise RuntimeError(f"condition of {len(condition)} samples for a batch of {len(out)}")
        shift = condition.to(out.dtype) @ self.context.to(out.dtype).T
        return out + shift[(..., *[None] * (out.ndim - 2))]


def bare(layer: nn.Module) -> nn.Module:
    """Return the layer that has the weights: `layer` itself, or the one that it conditions."""
    return layer.layer if isinstance(layer, Conditioned) else layer


def exclude_from_condition(layer: nn.Module) -> None:
    """Exclude `layer` from :func:`condition_layers`.

    After the last nonlinearity of a critic the condition would add the same number to the values
    of real and generated samples, and only their difference is trained.
    """
    layer.exclude_from_condition = True  # type: ignore[assignment]


def condition_layers(module: nn.Module, n_condition: int) -> None:
    """Condition every linear and convolutional layer below `module`, in place."""
    for name, child in module.named_children():
        if getattr(child, "exclude_from_condition", False):
            continue
        if isinstance(child, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            setattr(module, name, Conditioned(child, n_condition))
        else:
            condition_layers(child, n_condition)
