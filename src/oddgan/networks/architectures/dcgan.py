"""DCGANs for images (Radford et al. 2016), as in GANomaly's official code.

At 32 x 32 and 64 x 64 pixels they have the layers of that code. A side is halved (rounded up)
while it is longer than 4 pixels; channels double with every halving, up to eight times the first.
Convolutions have no bias.
"""

from collections.abc import Sequence
from math import prod

from torch import nn

from oddgan.networks.layers import Crop, Discriminator, SameConv2d, halvings, strides

SLOPE = 0.2  # of the leaky ReLU
END = 4  # sides longer than this are halved


def _channels(n_stages: int, width: int) -> list[int]:
    return [width * min(2**i, 8) for i in range(n_stages)]


def trunk(shape: Sequence[int], *, width: int) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Return conv4x4/2, batch norm (not in the first), leaky ReLU per halving; and its output."""
    last, *size = shape
    sizes = halvings(size[0], size[1], END)
    layers: list[nn.Module] = []
    for size_in, out in zip(sizes, _channels(len(sizes) - 1, width), strict=False):
        layers.append(SameConv2d(last, out, 4, stride=strides(size_in, END), bias=False))
        if layers[1:]:
            layers.append(nn.BatchNorm2d(out))
        layers.append(nn.LeakyReLU(SLOPE))
        last = out
    return nn.Sequential(*layers), (last, *sizes[-1])


def encoder(shape: Sequence[int], out_features: int, *, width: int) -> nn.Module:
    """Return the trunk and a convolution over all of its output."""
    body, out = trunk(shape, width=width)
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(prod(out), out_features, bias=False))


def generator(
    shape: Sequence[int], latent_dim: int, *, width: int, output: nn.Module | None
) -> nn.Module:
    """Return the encoder in reverse: transposed convolutions, batch norm, ReLU; tanh at the end."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    outs = _channels(len(sizes) - 1, width)
    last = outs[-1]
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, last * prod(sizes[-1]), bias=False),
        nn.Unflatten(1, (last, *sizes[-1])),
        nn.BatchNorm2d(last),
        nn.ReLU(),
    ]
    for size, out in zip(sizes[-2::-1], [*outs[-2::-1], channels], strict=True):
        stride = strides(size, END)
        layers += [
            nn.ConvTranspose2d(last, out, 4, stride=stride, padding=1, bias=False),
            Crop(*size),
        ]
        if size != sizes[0]:
            layers += [nn.BatchNorm2d(out), nn.ReLU()]
        last = out
    return nn.Sequential(*layers, output or nn.Tanh())


def discriminator(shape: Sequence[int], *, width: int) -> Discriminator:
    """Return the trunk, whose output is f, and a convolution over all of it."""
    body, out = trunk(shape, width=width)
    return Discriminator(nn.Sequential(*body, nn.Flatten()), prod(out), bias=False)
