"""U-nets with skip connections: x -> (y, z), where z is the narrowest layer.

For images this is the U-net of Skip-GANomaly's official code. A side is halved (rounded up) while
it is longer than 3 pixels, 32 -> 16 -> 8 -> 4 -> 2; channels double with every halving, up to eight
times the first. Then a dense layer gives z. The official code has one more conv4x4/2 there, which
at 2 x 2 pixels is a dense layer: the other 12 of its 16 weights only see padding. The input itself
has no skip connection.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from oddgan.networks.layers import Crop, SameConv2d, halvings, strides

SLOPE = 0.2  # of the leaky ReLU, as in the official code
END = 3  # sides longer than this are halved


class UNet(nn.Module):
    """Layers down to z and up again, with skip connections.

    Parameters
    ----------
    down : sequence of nn.Module
        From the sample to z, each applied to the output of the previous one.
    up : sequence of nn.Module
        From z to the output. The input of all but the first is the output of the down layer at the
        same level and that of the previous up layer, concatenated along the second axis.
    """

    def __init__(self, down: Sequence[nn.Module], up: Sequence[nn.Module]) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output, in the shape of `x`, and z, shape (n, latent_dim)."""
        skips: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        z = y = skips.pop()
        for i, layer in enumerate(self.up):
            y = layer(torch.cat([skips.pop(), y], dim=1) if i else y)
        return y, z


def image(shape: Sequence[int], latent_dim: int, *, width: int) -> UNet:
    """Return conv4x4/2 per halving, a dense layer (z), and transposed layers in reverse; tanh."""
    channels, height, side = shape
    sizes = halvings(height, side, END)
    outs = [channels, *(width * min(2**i, 8) for i in range(len(sizes) - 1))]
    n = outs[-1] * prod(sizes[-1])
    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for size, outer, inner in zip(sizes, outs, outs[1:], strict=False):
        stride, first = strides(size, END), not down
        norm = [] if first else [nn.BatchNorm2d(inner)]
        conv = SameConv2d(outer, inner, 4, stride=stride, bias=False)
        back = nn.ConvTranspose2d(2 * inner, outer, 4, stride=stride, padding=1, bias=first)
        end = nn.Tanh() if first else nn.BatchNorm2d(outer)
        down.append(nn.Sequential(conv, *norm, nn.LeakyReLU(SLOPE)))
        up.insert(0, nn.Sequential(nn.ReLU(), back, Crop(*size), end))
    narrow = nn.Sequential(nn.Flatten(), nn.Linear(n, latent_dim, bias=False))
    widen = nn.Sequential(
        nn.ReLU(),
        nn.Linear(latent_dim, n, bias=False),
        nn.Unflatten(1, (outs[-1], *sizes[-1])),
        nn.BatchNorm2d(outs[-1]),
    )
    return UNet([*down, narrow], [widen, *up])


def table(n_inputs: int, latent_dim: int, *, width: int) -> UNet:
    """Return FC `width`, FC `width` / 2, FC `latent_dim` (z) and the same in reverse."""
    outer, inner = width, width // 2
    return UNet(
        [
            nn.Sequential(nn.Linear(n_inputs, outer), nn.LeakyReLU(SLOPE)),
            nn.Sequential(nn.Linear(outer, inner), nn.LeakyReLU(SLOPE)),
            nn.Linear(inner, latent_dim),
        ],
        [
            nn.Sequential(nn.ReLU(), nn.Linear(latent_dim, inner)),
            nn.Sequential(nn.ReLU(), nn.Linear(2 * inner, outer)),
            nn.Sequential(nn.ReLU(), nn.Linear(2 * outer, n_inputs)),
        ],
    )
