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
    """A layer with its own initialisation rule."""

    def draw(self, generator: torch.Generator) -> None:
        """Fill weights and buffers from `generator`."""


def initialise(module: nn.Module, scheme: Scheme, generator: torch.Generator) -> None:
    """Initialise the weights of every layer of `module`, in place.

    Networks are built on PyTorch's meta device, without weights and random numbers; this function
    allocates and draws their weights on the CPU.

    Parameters
    ----------
    module : nn.Module
        Network, usually on the meta device.
    scheme : {"normal", "dcgan", "xavier"}
        "normal" draws weights of convolutions and linear layers from N(0, 0.02^2), as in the
        official code of most image methods; "xavier" is Glorot-uniform, as there for tables.
        Biases are zero and normalisation layers start as the identity. "dcgan" is "normal" with
        the weights of batch norm from N(1, 0.02^2).
    generator : torch.Generator
        CPU generator for the weights.

    Raises
    ------
    TypeError
        There is no rule for a layer with weights, which would stay uninitialised.
    """
    module.to_empty(device="cpu")
    for layer in module.modules():
        tensors = [*layer.parameters(recurse=False), *layer.buffers(recurse=False)]
        if not tensors and not parametrize.is_parametrized(layer):
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
            raise TypeError(f"there is no initialisation rule for the layer {type(layer).__name__}")


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
