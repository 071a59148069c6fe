"""Energies of deep structured energy-based models (DSEBM, Zhai et al. 2016)."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oddgan.networks.condition import bare

#: Sides longer than this are halved by the convolutions.
END = 7


def convolutions(shape: Sequence[int], latent_dim: int, width: int) -> list[nn.Module]:
    """Return at least one conv3x3/2, until no side is longer than 7 pixels, and a dense layer."""
    last, *size = shape
    layers: list[nn.Module] = []
    while not layers or max(size) > END:
        out = width * min(2 ** len(layers), 8)
        layers.append(nn.Conv2d(last, out, 3, stride=2, padding=1))
        last, size = out, [-(-side // 2) for side in size]
    return [*layers, nn.Linear(last * prod(size), latent_dim)]


class Energy(nn.Module):
    """e(x) and its gradient.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one sample.
    layers : sequence of nn.Module
        Linear layers, or convolutions 3x3/2 and then linear ones; softplus follows each.
    """

    def __init__(self, shape: Sequence[int], layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.centre = nn.Parameter(torch.empty(*shape))

    def draw(self, generator: torch.Generator) -> None:
        """Begin with b' = 0."""
        nn.init.zeros_(self.centre)

    def hidden(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return each layer's output before and after softplus."""
        outputs = []
        for layer in self.layers:
            a = layer(x.flatten(1) if isinstance(bare(layer), nn.Linear) else x)
            x = F.softplus(a)
            outputs.append((a, x))
        return outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies, shape (n,), and their gradients by x, in the shape of x."""
        outputs = self.hidden(x)
        gradient = torch.ones_like(outputs[-1][1])  # of the sum of h
        inputs = [x, *(h for _, h in outputs[:-1])]
        for layer, h, (a, _) in reversed(list(zip(self.layers, inputs, outputs, strict=True))):
            gradient = transposed(bare(layer), gradient * a.sigmoid(), h.shape)
        difference = x - self.centre
        energy = difference.square().flatten(1).sum(1) / 2 - outputs[-1][1].sum(1)
        return energy, difference - gradient


def transposed(layer: nn.Module, x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return the transposed linear map of `layer` (without its bias), reshaped to `shape`."""
    if isinstance(layer, nn.Linear):
        return F.linear(x, layer.weight.T).view(shape)
    assert isinstance(layer, nn.Conv2d)
    output_padding = [1 - side % 2 for side in shape[2:]]  # the stride skips a row of even sides
    return F.conv_transpose2d(x, layer.weight, stride=2, padding=1, output_padding=output_padding)
