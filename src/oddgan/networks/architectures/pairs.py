"""The encoder and the discriminators of pairs of ALAD's official code (Zenati et al. 2018).

At 121 columns they are its networks for KDD99, at 32 x 32 pixels and a `width` of 128 those for
CIFAR-10; the generators are those of :mod:`.table` and :mod:`.dcgan`. A side is halved (rounded
up) while it is longer than 4 pixels, but exactly twice in the discriminator of two images.
Spectral norm, if used, is on all layers but the last.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from oddgan.networks.layers import (
    Dropout,
    JointDiscriminator,
    SameConv2d,
    halvings,
    spectrally_normalised,
    strides,
)

SLOPE = 0.2  # of the leaky ReLU
END = 4  # sides longer than this are halved


class PairDiscriminator(nn.Module):
    """D(a, b) of two samples, or of two latents, of the same shape.

    Parameters
    ----------
    trunk : nn.Module
        Maps the concatenation of both along their first axis to the flat features f.
    n_features : int
        Length of f.
    """

    def __init__(self, trunk: nn.Module, n_features: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.logit = nn.Linear(n_features, 1)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits d(a, b), shape (n,), and the features f(a, b), shape (n, n_features).

        The probability that b is a itself and not its reconstruction is sigmoid(d).
        """
        features = self.trunk(torch.cat([a, b], dim=1))
        return self.logit(features).squeeze(1), features


def _normalised(layer: nn.Linear | nn.Conv2d, spectral: bool) -> nn.Module:
    return spectrally_normalised(layer) if spectral else layer


def _dense(n_inputs: int, n: int, dropout: float, spectral: bool) -> list[nn.Module]:
    linear = _normalised(nn.Linear(n_inputs, n), spectral)
    return [linear, nn.LeakyReLU(SLOPE), *([Dropout(dropout)] if dropout else [])]


def _batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # TensorFlow's defaults


def _convolutions(
    shape: Sequence[int], width: int, spectral: bool, *, first_norm: bool
) -> tuple[list[nn.Module], int]:
    """Return conv4x4/2, batch norm, leaky ReLU per halving, flattened; and their number."""
    last, height, side = shape
    sizes = halvings(height, side, END)
    layers: list[nn.Module] = []
    for i, size in enumerate(sizes[:-1]):
        out = width * min(2**i, 8)
        norm = first_norm or i > 0
        conv = SameConv2d(last, out, 4, stride=strides(size, END), bias=not norm)
        layers.append(_normalised(conv, spectral))
        layers += [*([_batch_norm(out)] if norm else []), nn.LeakyReLU(SLOPE)]
        last = out
    return [*layers, nn.Flatten()], last * prod(sizes[-1])


def encoder(
    shape: Sequence[int], latent_dim: int, *, width: int, spectral_norm: bool
) -> nn.Sequential:
    """Return FC `width`, or a convolution per halving; then FC `latent_dim`."""
    if len(shape) == 1:
        layers, n = _dense(shape[0], width, 0, spectral_norm), width
    else:
        layers, n = _convolutions(shape, width, spectral_norm, first_norm=True)
    return nn.Sequential(*layers, nn.Linear(n, latent_dim))


def joint_discriminator(
    shape: Sequence[int], latent_dim: int, *, width: int, spectral_norm: bool
) -> JointDiscriminator:
    """Return D_xz: stems of x and of z, a trunk with dropout."""
    if len(shape) == 1:
        n = 2 * width
        linear = _normalised(nn.Linear(shape[0], n, bias=False), spectral_norm)
        norm = nn.BatchNorm1d(n, eps=1e-3, momentum=0.01)
        stem = [linear, norm, nn.LeakyReLU(SLOPE)]
        latent = _dense(latent_dim, n, 0.5, spectral_norm)
        n_stems, n_trunk, dropout = 2 * n, n, 0.5
    else:
        stem, n = _convolutions(shape, width, spectral_norm, first_norm=False)
        n_latent, dropout = 4 * width, 0.2
        latent = [
            *_dense(latent_dim, n_latent, dropout, spectral_norm),
            *_dense(n_latent, n_latent, dropout, spectral_norm),
        ]
        n_stems, n_trunk = n + n_latent, 8 * width
    trunk = _dense(n_stems, n_trunk, dropout, spectral_norm)
    stems = nn.Sequential(*stem), nn.Sequential(*latent)
    return JointDiscriminator(*stems, nn.Sequential(*trunk), n_trunk)


def sample_discriminator(
    shape: Sequence[int], *, width: int, spectral_norm: bool
) -> PairDiscriminator:
    """Return D_xx: FC 2 `width` for tables, conv5x5/2 `width` / 2 and `width` for images."""
    if len(shape) == 1:
        trunk = _dense(2 * shape[0], 2 * width, 0.2, spectral_norm)
        return PairDiscriminator(nn.Sequential(*trunk), 2 * width)
    last, height, side = 2 * shape[0], *shape[1:]
    layers: list[nn.Module] = []
    for out in (width // 2, width):
        conv = SameConv2d(last, out, 5, stride=2)
        layers += [_normalised(conv, spectral_norm), nn.LeakyReLU(SLOPE), Dropout(0.2)]
        last, height, side = out, -(-height // 2), -(-side // 2)
    return PairDiscriminator(nn.Sequential(*layers, nn.Flatten()), last * height * side)


def latent_discriminator(
    shape: Sequence[int], latent_dim: int, *, width: int, spectral_norm: bool
) -> PairDiscriminator:
    """Return D_zz: FC `width` / 2, for images followed by FC `width` / 4."""
    sizes = (width // 2,) if len(shape) == 1 else (width // 2, max(1, width // 4))
    layers: list[nn.Module] = []
    last = 2 * latent_dim
    for n in sizes:
        layers += _dense(last, n, 0.2, spectral_norm)
        last = n
    return PairDiscriminator(nn.Sequential(*layers), last)
