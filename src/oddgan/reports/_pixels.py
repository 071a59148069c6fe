"""Images as a gallery shows them: grey or RGB between 0 and 1, and what was rebuilt beside."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Channels = Literal["auto", "first", "last"]
Image = NDArray[Any]


def as_images(given: Any, name: str, channels: Channels, n: int | None = None) -> list[Image]:
    """Return one array (h, w) or (h, w, 3) for each image, in the units that it has.

    Raises
    ------
    ValueError
        They are no images, hold NaN or infinity, or are not `n`.
    """
    images = [_with_channels_last(np.asarray(image), name, channels) for image in given]
    if not images:
        raise ValueError(f"{name} is empty")
    if n is not None and len(images) != n:
        raise ValueError(f"{name}: {len(images)} images for {n} samples")
    for i, image in enumerate(images):
        if not np.isfinite(image).all():
            raise ValueError(f"{name}: image {i} holds NaN or infinity")
    return images


def _with_channels_last(image: Image, name: str, channels: Channels) -> Image:
    if image.ndim == 3 and (
        channels == "first"
        or (channels == "auto" and image.shape[0] in (1, 3, 4) and image.shape[2] not in (1, 3, 4))
    ):
        image = np.moveaxis(image, 0, 2)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, :3]
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or not image.size:
        raise ValueError(
            f"{name} must be grey (h, w) or have 1, 3 or 4 channels, not of shape {image.shape}"
        )
    return image


def range_of(images: Sequence[Image]) -> tuple[float, float]:
    """Return what is black and what is white: of the type of pixel where it says so."""
    kind = images[0].dtype
    low = min(float(image.min()) for image in images)
    high = max(float(image.max()) for image in images)
    if kind == np.uint8:
        return 0.0, 255.0
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


def between(image: Image, black: float, white: float) -> Image:
    """Return an image with black at 0 and white at 1."""
    scaled: Image = np.clip((image.astype(np.float64) - black) / (white - black), 0, 1)
    return scaled


def residual(image: Image, rebuilt: Image) -> Image:
    """Return the absolute difference, the mean over the channels, at the size of `rebuilt`.

    Of an image in colour and a grey reconstruction, or the reverse, both are made grey first.
    """
    image = image.astype(np.float64)
    if image.shape[:2] != rebuilt.shape[:2]:
        factors = [b / a for a, b in zip(image.shape, rebuilt.shape[:2], strict=False)]
        image = zoom(
            image, factors + [1] * (image.ndim - 2), order=1, grid_mode=True, mode="nearest"
        )
    if image.ndim != rebuilt.ndim:
        image, rebuilt = (one.mean(2) if one.ndim == 3 else one for one in (image, rebuilt))
    difference: Image = np.abs(image - rebuilt)
    return difference.mean(2) if difference.ndim == 3 else difference
