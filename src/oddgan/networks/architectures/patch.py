"""A fully convolutional discriminator: one logit for every location in an image of any size."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.1  # of the leaky ReLU
#: Halvings after the first; the receptive field of a logit is about 90 pixels.
DEPTH = 3
#: Added to the deviation that an image is divided by: flat images must not become noise.
_LEAST = 0.06


def standardised(images: Tensor) -> Tensor:
    """Return each image with median 0 and deviation 1/3, clipped to [-1, 1]; shape (n, c, h, w).

    The brightness and contrast of an exposure are independent of defects.
    """
    flat = images.flatten(1)
    middle = flat.median(1).values.view(-1, 1, 1, 1)
    spread = flat.std(1, correction=0).view(-1, 1, 1, 1) + _LEAST
    return ((images - middle) / (3 * spread)).clamp(-1, 1)


def _block(channels_in: int, channels: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.LeakyReLU(SLOPE),
    )


class PatchDiscriminator(nn.Module):
    """D_ij(x): a U-net whose map has half the sides of the image (rounded up).

    Parameters
    ----------
    shape : (c, h, w)
        Shape of one image. Only c is used: images may have any size.
    width : int
        Channels at half the size; at smaller sizes twice and four times as many.
    """

    def __init__(self, shape: Sequence[int], *, width: int) -> None:
        super().__init__()
        outs = [width * min(2**i, 4) for i in range(DEPTH + 1)]
        self.stem = nn.Sequential(_block(shape[0], width, 2), _block(width, width))
        self.down = nn.ModuleList(_block(a, b, 2) for a, b in pairwise(outs))
        self.middle = _block(outs[-1], outs[-1])
        self.up = nn.ModuleList(_block(a + b, a) for a, b in list(pairwise(outs))[::-1])
        self.logit = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of being normal, (n, h/2, w/2), and features, (n, width, h/2, w/2)."""
        skips = [self.stem(x)]
        for block in self.down:
            skips.append(block(skips[-1]))
        h = self.middle(skips[-1])
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            h = block(torch.cat([F.interpolate(h, skip.shape[2:]), skip], dim=1))
        return self.logit(h).squeeze(1), h
