"""Cutting an encoded image into overlapping patches, and blending their maps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.inputs.image_size import Size, resize

from .illumination import IlluminationCorrection

#: Numbers in the patches that are cut together: limits the memory for a large image.
_CHUNK_NUMBERS = 2**22


def starts(side: int, patch: int, stride: int) -> list[int]:
    """Return where patches start along a side: every `stride`, the last one at the far border."""
    return [*range(0, side - patch, stride), side - patch]


def window(patch: int) -> Tensor:
    """Return the weights sin^2(pi (i + 1/2) / patch) of the locations i in a patch, in float64.

    They decrease smoothly towards its ends, so that no edge of a patch shows in a blended map, and
    are never 0, so that the borders of the image have a value too.
    """
    locations = torch.arange(patch, dtype=torch.float64) + 0.5
    return torch.sin(torch.pi * locations / patch).square()


@dataclass(frozen=True)
class PatchedImage:
    """An encoded image, to be cut into patches.

    Attributes
    ----------
    image : Tensor of shape (c, h, w)
        At the size at which it is cut; not smaller than a patch.
    patch, stride : (int, int)
        Height and width of a patch, and the distances between patches.
    unpadded : (int, int)
        Height and width without the padding of a small image.
    original : (int, int)
        Height and width of the original image.
    correction : IlluminationCorrection, optional
        The correction applied to its pixels.
    """

    image: Tensor
    patch: Size
    stride: Size
    unpadded: Size
    original: Size
    correction: IlluminationCorrection | None = None

    def corners(self) -> Tensor:
        """Return the upper left corners of all patches, shape (n, 2)."""
        sides = zip(self.image.shape[1:], self.patch, self.stride, strict=True)
        down, across = (torch.tensor(starts(*side)) for side in sides)
        return torch.cartesian_prod(down, across)

    def locations(self) -> NDArray[np.float64]:
        """Return the location of each patch, shape (n, 2): its y and x, scaled to 0 to 1.

        1/2 if the patch is as long as the image.
        """
        room = [side - p for side, p in zip(self.image.shape[1:], self.patch, strict=True)]
        corners = self.corners().numpy()
        return np.stack(
            [
                start / last if last else np.full(len(start), 0.5)
                for start, last in zip(corners.T, room, strict=True)
            ],
            axis=1,
        )

    def patches_at(self, corners: Tensor) -> Tensor:
        """Return the patches with these upper left corners, shape (n, c, *patch)."""
        h, w = self.patch
        return torch.stack([self.image[:, y : y + h, x : x + w] for y, x in corners.tolist()])

    def patches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all patches in chunks, (corners, patches)."""
        size = max(1, _CHUNK_NUMBERS // (self.image.shape[0] * self.patch[0] * self.patch[1]))
        corners = self.corners()
        for start in range(0, len(corners), size):
            chunk = corners[start : start + size]
            yield chunk, self.patches_at(chunk)

    def blended(self, maps: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
        """Blend maps of patches into the map of the image at its original size, (c, *original).

        `maps` yields the corners of patches, and their maps (n, c, *patch).
        """
        return self.at_original_size(self.blended_as_cut(maps))

    def at_original_size(self, image_map: Tensor) -> Tensor:
        """Resize a map from the size at which the image was cut to its original size."""
        return resize(image_map[None], self.original)[0]

    def blended_as_cut(self, maps: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
        """Blend maps of patches into a map at the size at which the image was cut, (c, *unpadded).

        The value of a pixel is the mean over the patches that contain it, weighted by `window`: its
        weights sum to 1, so that a value on which all patches agree does not change.
        """
        sides = list(zip(self.image.shape[1:], self.patch, self.stride, strict=True))
        sums = [_sums(*side) for side in sides]
        h, w = self.patch
        rows, columns = window(h), window(w)
        total: Tensor | None = None
        for corners, patch_maps in maps:
            if total is None:
                total = patch_maps.new_zeros(patch_maps.shape[1], *self.image.shape[1:])
            for (y, x), patch_map in zip(corners.tolist(), patch_maps, strict=True):
                down, across = rows / sums[0][y : y + h], columns / sums[1][x : x + w]
                weights = torch.outer(down, across).to(patch_map)
                total[:, y : y + h, x : x + w] += weights * patch_map
        assert total is not None  # an image has at least one patch
        return total[:, : self.unpadded[0], : self.unpadded[1]]

    def without_correction(self, pixels: Tensor) -> Tensor:
        """Undo the illumination correction of pixels (n, c, h, w), such as a reconstruction."""
        return self.correction.undo(pixels) if self.correction else pixels


def _sums(side: int, patch: int, stride: int) -> Tensor:
    """Return the sum of the windows at each location along a side."""
    total, weights = torch.zeros(side, dtype=torch.float64), window(patch)
    for start in starts(side, patch, stride):
        total[start : start + patch] += weights
    return total
