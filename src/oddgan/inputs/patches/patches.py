"""Cutting an encoded image into overlapping patches, and blending what is said of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from .illumination import IlluminationCorrection

Pair = tuple[int, int]

#: Numbers of patches that are cut out together: what bounds the memory of a large image.
_NUMBERS = 2**22


def starts(side: int, patch: int, stride: int) -> list[int]:
    """Return where patches begin along a side: every `stride`, and one that ends at its end."""
    return [*range(0, side - patch, stride), side - patch]


def window(patch: int) -> Tensor:
    """Return the weights sin^2(pi (i + 1/2) / patch) of the places i of a patch, in float64.

    They fall smoothly towards its ends, so that no edge of a patch shows in a blended map, and
    are nowhere 0, so that the borders of the image have a value too.
    """
    places = torch.arange(patch, dtype=torch.float64) + 0.5
    return torch.sin(torch.pi * places / patch).square()


@dataclass(frozen=True)
class PatchedImage:
    """An encoded image, to be cut into patches.

    Attributes
    ----------
    image : Tensor of shape (c, h, w)
        At the size that it is cut at; not smaller than a patch.
    patch, stride : (int, int)
        Height and width of a patch, and how far patches are apart.
    inner : (int, int)
        Height and width without what was added to a small image.
    size : (int, int)
        Height and width as it was given.
    level : IlluminationCorrection, optional
        What was taken off its pixels.
    """

    image: Tensor
    patch: Pair
    stride: Pair
    inner: Pair
    size: Pair
    level: "IlluminationCorrection | None" = None

    def corners(self) -> Tensor:
        """Return the upper left corners of all patches, shape (n, 2)."""
        sides = zip(self.image.shape[1:], self.patch, self.stride, strict=True)
        down, across = (torch.tensor(starts(*side)) for side in sides)
        return torch.cartesian_prod(down, across)

    def places(self) -> NDArray[np.float64]:
        """Return how far down and across each patch is, 0 to 1, shape (n, 2); 1/2 where it fits."""
        room = [side - p for side, p in zip(self.image.shape[1:], self.patch, strict=True)]
        corners = self.corners().numpy()
        return np.stack(
            [
                at / far if far else np.full(len(at), 0.5)
                for at, far in zip(corners.T, room, strict=True)
            ],
            axis=1,
        )

    def at(self, corners: Tensor) -> Tensor:
        """Return the patches with these upper left corners, shape (n, c, *patch)."""
        h, w = self.patch
        return torch.stack([self.image[:, y : y + h, x : x + w] for y, x in corners.tolist()])

    def patches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all patches, (corners, patches), some at a time."""
        most = max(1, _NUMBERS // (self.image.shape[0] * self.patch[0] * self.patch[1]))
        corners = self.corners()
        for start in range(0, len(corners), most):
            some = corners[start : start + most]
            yield some, self.at(some)

    def blended(self, maps: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
        """Return the map of the image, (c, *size), of the maps (n, c, *patch) at these corners."""
        return self.as_given(self.blended_as_cut(maps))

    def as_given(self, one: Tensor) -> Tensor:
        """Return a map of the size that it was cut at in the size that it was given in."""
        return resized(one, self.size)

    def blended_as_cut(self, maps: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
        """Return the same at the size that the image was cut at, (c, *inner).

        A pixel's value is the mean of what the patches over it say, each weighted by its `window`:
        the weights of a pixel sum to 1, so that what all patches agree on stays as it is.
        """
        sides = list(zip(self.image.shape[1:], self.patch, self.stride, strict=True))
        sums = [_sums(*side) for side in sides]
        h, w = self.patch
        rows, columns = window(h), window(w)
        total: Tensor | None = None
        for corners, found in maps:
            if total is None:
                total = found.new_zeros(found.shape[1], *self.image.shape[1:])
            for (y, x), one in zip(corners.tolist(), found, strict=True):
                down, across = rows / sums[0][y : y + h], columns / sums[1][x : x + w]
                weights = torch.outer(down, across).to(one)
                total[:, y : y + h, x : x + w] += weights * one
        assert total is not None  # an image has at least one patch
        return total[:, : self.inner[0], : self.inner[1]]

    def as_it_was(self, pixels: Tensor) -> Tensor:
        """Return pixels such as these, of a reconstruction, as they were before levelling."""
        return self.level.undone(pixels) if self.level else pixels


def _sums(side: int, patch: int, stride: int) -> Tensor:
    """Return the sum of the windows over each place of a side."""
    total, weights = torch.zeros(side, dtype=torch.float64), window(patch)
    for start in starts(side, patch, stride):
        total[start : start + patch] += weights
    return total


def resized(image: Tensor, size: Pair) -> Tensor:
    """Return an image (c, h, w) resized, bilinear and with antialiasing."""
    if tuple(image.shape[1:]) == size:
        return image
    return F.interpolate(
        image[None], size, mode="bilinear", antialias=True, align_corners=False
    ).squeeze(0)
