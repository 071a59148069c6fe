"""First weights, drawn from a generator instead of the global random state."""

from typing import Literal, Protocol, runtime_checkable

import torch
from torch import nn

Scheme = Literal["dcgan", "xavier"]


@runtime_checkable
class Drawn(Protocol):
    """A layer that brings a rule of its own."""

    def draw(self, generator: torch.Generator) -> None:
        """Fill weights and buffers from `generator`."""


def initialise(module: nn.Module, scheme: Scheme, generator: torch.Generator) -> None:
    """Give every layer of `module` its first weights, in place.

    Networks are built on PyTorch's meta device, where no weights exist and no random number
    is drawn; this makes them real on the CPU.

    Parameters
    ----------
    module : nn.Module
        Network, usually on the meta device.
    scheme : {"dcgan", "xavier"}
        Weights of convolutions and linear layers from N(0, 0.02^2), as in the official code of
        most image methods, or Glorot-uniform, as there for tables. Biases are zero and
        normalisation layers start as the identity.
    generator : torch.Generator
        CPU generator that the weights are drawn from.

    Raises
    ------
    TypeError
        A layer has weights but no rule here: its weights would be uninitialised memory.
    """
    module.to_empty(device="cpu")
    for layer in module.modules():
        if not [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]:
            continue
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            if scheme == "dcgan":
                nn.init.normal_(layer.weight, std=0.02, generator=generator)
            else:
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_parameters()
        elif isinstance(layer, Drawn):
            layer.draw(generator)
        else:
            raise TypeError(f"no initialisation known for the layer {type(layer).__name__}")
