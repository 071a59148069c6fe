"""First weights, drawn from a generator instead of the global random state."""

from typing import Literal, Protocol, runtime_checkable

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

Scheme = Literal["normal", "dcgan", "xavier"]


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
    scheme : {"normal", "dcgan", "xavier"}
        Weights of convolutions and linear layers from N(0, 0.02^2), as in the official code of
        most image methods, or Glorot-uniform, as there for tables. Biases are zero and
        normalisation layers start as the identity; with "dcgan", which is else as "normal", the
        weights of batch norm are from N(1, 0.02^2).
    generator : torch.Generator
        CPU generator that the weights are drawn from.

    Raises
    ------
    TypeError
        A layer has weights but no rule here: its weights would be uninitialised memory.
    """
    module.to_empty(device="cpu")
    for layer in module.modules():
        own = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        if not own and not parametrize.is_parametrized(layer):
            continue
        if isinstance(layer, Drawn):
            layer.draw(generator)
        elif isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            _draw_weights(layer, scheme, generator)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
            layer.reset_parameters()
            if scheme == "dcgan" and not isinstance(layer, nn.LayerNorm):
                nn.init.normal_(layer.weight, 1, 0.02, generator=generator)
        elif isinstance(layer, _SpectralNorm):
            for vector in (layer._u, layer._v):  # estimates of the first singular vectors
                vector.copy_(F.normalize(vector.normal_(generator=generator), dim=0))
        elif not isinstance(layer, parametrize.ParametrizationList):  # drawn with its layer
            raise TypeError(f"no initialisation known for the layer {type(layer).__name__}")


def _draw_weights(
    layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, scheme: Scheme, generator: torch.Generator
) -> None:
    spectral = parametrize.is_parametrized(layer, "weight")
    weight = layer.get_parameter("parametrizations.weight.original") if spectral else layer.weight
    if scheme == "xavier":
        nn.init.xavier_uniform_(weight, generator=generator)
    else:
        nn.init.normal_(weight, std=0.02, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
