"""Residual networks of WGAN-GP (Gulrajani et al. 2017), as in f-AnoGAN's official code.

At 64 x 64 pixels and a `width` of 128 they are those of that code. A side is halved (rounded up)
while it is longer than 4 pixels, by one block per halving; channels double with every halving, from
half of `width` up to four times it. The critic has layer norm, since the gradient penalty is
computed per sample and not per batch; encoder and generator have batch norm. There are no biases
that a later normalisation, or the difference of two outputs of the critic, would cancel: their
gradients would only be rounding errors.
"""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn

from oddgan.networks.condition import exclude_from_condition
from oddgan.networks.layers import Crop, Discriminator, halvings, strides

from .table import SLOPE

END = 4  # sides longer than this are halved


class ChannelScaledNorm(nn.GroupNorm):
    """Layer norm over channels, rows and columns, with a scale and a shift for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def draw(self, generator: torch.Generator) -> None:
        """Start with scale 1 and shift 0."""
        self.reset_parameters()


def _batch_norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # TensorFlow's defaults


class Residual(nn.Module):
    """A block that adds a branch and a shortcut.

    Parameters
    ----------
    branch, shortcut : nn.Module
        Both map the input to the same shape.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return branch(x) + shortcut(x)."""
        y: Tensor = self.shortcut(x) + self.branch(x)
        return y


def _down(
    last: int,
    out: int,
    stride: tuple[int, int],
    norm: Callable[[int], nn.Module],
    *,
    bias: bool = True,
) -> Residual:
    """Return twice norm, ReLU, conv3x3, then a mean over 2 x 2 pixels; the shortcut is conv1x1."""

    def pool() -> nn.Module:
        return nn.AvgPool2d(stride, ceil_mode=True)

    end, shortcut = (
        nn.Conv2d(last, out, 3, padding=1, bias=bias),
        nn.Conv2d(last, out, 1, bias=bias),
    )
    if not bias:
        exclude_from_condition(end)
        exclude_from_condition(shortcut)
    branch = nn.Sequential(
        norm(last),
        nn.ReLU(),
        nn.Conv2d(last, last, 3, padding=1, bias=False),
        norm(last),
        nn.ReLU(),
        end,
        pool(),
    )
    return Residual(branch, nn.Sequential(pool(), shortcut))


def _up(last: int, out: int, stride: tuple[int, int], size: tuple[int, int]) -> Residual:
    """Return twice batch norm, ReLU, conv3x3, first on repeated pixels; the shortcut is conv1x1."""

    def repeat() -> list[nn.Module]:
        return [nn.Upsample(scale_factor=stride), Crop(*size)]

    branch = nn.Sequential(
        _batch_norm(last),
        nn.ReLU(),
        *repeat(),
        nn.Conv2d(last, out, 3, padding=1, bias=False),
        _batch_norm(out),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
    )
    # A conv1x1 before the repetition of pixels equals one after it, in a quarter of the time.
    return Residual(branch, nn.Sequential(nn.Conv2d(last, out, 1, bias=False), *repeat()))


def _n_channels(n_halvings: int, width: int) -> int:
    return width // 2 * min(1 << n_halvings, 8)


def _trunk(
    shape: Sequence[int], width: int, norm: Callable[[int], nn.Module], *, last_bias: bool
) -> tuple[nn.Sequential, int]:
    """Return conv3x3, one block per halving, flattened; and the number of features."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    n_blocks = len(sizes) - 1
    last = _n_channels(0, width)
    bias = last_bias or n_blocks > 0
    layers: list[nn.Module] = [nn.Conv2d(channels, last, 3, padding=1, bias=bias)]
    for i, size in enumerate(sizes[:-1]):
        out = _n_channels(i + 1, width)
        bias = last_bias or i + 1 < n_blocks
        layers.append(_down(last, out, strides(size, END), norm, bias=bias))
        last = out
    return nn.Sequential(*layers, nn.Flatten()), last * prod(sizes[-1])


def encoder(shape: Sequence[int], out_features: int, *, width: int) -> nn.Module:
    """Return conv3x3, a block with batch norm per halving, FC `out_features`."""
    trunk, n_features = _trunk(shape, width, _batch_norm, last_bias=True)
    return nn.Sequential(*trunk, nn.Linear(n_features, out_features))


def generator(
    shape: Sequence[int], latent_dim: int, *, width: int, output: nn.Module | None
) -> nn.Module:
    """Return FC, a block per doubling, batch norm, ReLU, conv3x3; tanh at the end."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    last = _n_channels(len(sizes) - 1, width)
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, last * prod(sizes[-1])),
        nn.Unflatten(1, (last, *sizes[-1])),
    ]
    for i, size in reversed(list(enumerate(sizes[:-1]))):
        out = _n_channels(i, width)
        layers.append(_up(last, out, strides(size, END), size))
        last = out
    layers += [_batch_norm(last), nn.ReLU(), nn.Conv2d(last, channels, 3, padding=1)]
    return nn.Sequential(*layers, output or nn.Tanh())


def discriminator(shape: Sequence[int], *, width: int) -> Discriminator:
    """Return conv3x3 and a block with layer norm per halving, whose output is f; FC 1."""
    trunk, n_features = _trunk(shape, width, ChannelScaledNorm, last_bias=False)
    return _critic(trunk, n_features)


def dense_critic(n_inputs: int, *, width: int) -> Discriminator:
    """Return FC 4 `width`, FC 2 `width`, FC 2 `width` with leaky ReLU, whose output is f; FC 1.

    The discriminator of a table without dropout, which would randomise the gradient penalty.
    """
    layers: list[nn.Module] = []
    last = n_inputs
    for n in (4 * width, 2 * width, 2 * width):
        layers += [nn.Linear(last, n), nn.LeakyReLU(SLOPE)]
        last = n
    return _critic(nn.Sequential(*layers), last)


def _critic(trunk: nn.Module, n_features: int) -> Discriminator:
    critic = Discriminator(trunk, n_features, bias=False)
    exclude_from_condition(critic.logit)
    return critic
