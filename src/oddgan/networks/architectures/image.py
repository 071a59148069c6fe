"""Convolutional networks for images: the MNIST networks of the EGBAD code, for any size.

A side is halved (rounded up) while it is longer than 7 pixels: 28 -> 14 -> 7 as published,
32 -> 16 -> 8 -> 4, and 8 x 40 -> 4 x 20 -> 4 x 10 -> 4 x 5.
Channels double with every halving, up to eight times the first.
"""

from collections.abc import Sequence
from math import prod

from torch import nn

from oddgan.networks.layers import (
    Crop,
    Discriminator,
    Dropout,
    JointDiscriminator,
    SameConv2d,
    halvings,
    strides,
)

SLOPE = 0.1  # of the leaky ReLU, as in the official code
END = 7  # sides longer than this are halved


def _norm(channels: int) -> nn.Module:
    # TensorFlow's defaults, as in the published code.
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _channels(n_stages: int, width: int) -> list[int]:
    return [width * min(2**i, 8) for i in range(n_stages)]


def encoder(shape: Sequence[int], out_features: int, *, width: int) -> nn.Module:
    """Return conv3x3 `width` / 2; conv3x3/2, batch norm, leaky ReLU per halving; FC."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    last = width // 2
    layers: list[nn.Module] = [SameConv2d(channels, last, 3), nn.LeakyReLU(SLOPE)]
    for size, out in zip(sizes, _channels(len(sizes) - 1, width), strict=False):
        layers += [
            SameConv2d(last, out, 3, stride=strides(size, END)),
            _norm(out),
            nn.LeakyReLU(SLOPE),
        ]
        last = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(last * prod(sizes[-1]), out_features))


def generator(
    shape: Sequence[int], latent_dim: int, *, width: int, output: nn.Module | None
) -> nn.Module:
    """Return two FC layers with batch norm, then a transposed conv4x4/2 per doubling."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    outs = _channels(len(sizes) - 1, width)
    hidden, last = 16 * width, outs[-1]
    first = last * prod(sizes[-1])
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, hidden),
        nn.BatchNorm1d(hidden, eps=1e-3, momentum=0.01),
        nn.ReLU(),
        nn.Linear(hidden, first),
        nn.BatchNorm1d(first, eps=1e-3, momentum=0.01),
        nn.ReLU(),
        nn.Unflatten(1, (last, *sizes[-1])),
    ]
    for size, out in zip(sizes[-2::-1], [*outs[-2::-1], channels], strict=True):
        layers += [
            nn.ConvTranspose2d(last, out, 4, stride=strides(size, END), padding=1),
            Crop(*size),
        ]
        if size != sizes[0]:
            layers += [_norm(out), nn.ReLU()]
        last = out
    return nn.Sequential(*layers, output or nn.Tanh())


def _stem(shape: Sequence[int], *, width: int, dropout: float) -> tuple[nn.Sequential, int]:
    """Return conv4x4/2, batch norm (not in the first), leaky ReLU, dropout per halving."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    outs = [width, *_channels(len(sizes) - 1, width)][: len(sizes) - 1]
    layers: list[nn.Module] = []
    last = channels
    for size, out in zip(sizes, outs, strict=False):
        layers.append(SameConv2d(last, out, 4, stride=strides(size, END)))
        if layers[1:]:
            layers.append(_norm(out))
        layers += [nn.LeakyReLU(SLOPE), *([Dropout(dropout)] if dropout else [])]
        last = out
    return nn.Sequential(*layers, nn.Flatten()), last * prod(sizes[-1])


def discriminator(shape: Sequence[int], *, width: int) -> Discriminator:
    """Return D(x) of AnoGAN in the EGBAD code: conv4x4/2 stem without dropout, FC 1024 trunk."""
    stem, n_stem = _stem(shape, width=width, dropout=0)
    n = 16 * width
    norm = nn.BatchNorm1d(n, eps=1e-3, momentum=0.01)
    return Discriminator(nn.Sequential(*stem, nn.Linear(n_stem, n), norm, nn.LeakyReLU(SLOPE)), n)


def joint_discriminator(shape: Sequence[int], latent_dim: int, *, width: int) -> JointDiscriminator:
    """Return D(x, z) of the EGBAD code: conv4x4/2 stem, FC 512 stem, FC 1024 trunk, dropout 0.5."""
    stem, n_stem = _stem(shape, width=width, dropout=0.5)
    n_latent, n_trunk = 8 * width, 16 * width
    return JointDiscriminator(
        stem,
        nn.Sequential(nn.Linear(latent_dim, n_latent), nn.LeakyReLU(SLOPE), Dropout(0.5)),
        nn.Sequential(nn.Linear(n_stem + n_latent, n_trunk), nn.LeakyReLU(SLOPE), Dropout(0.5)),
        n_trunk,
    )
