"""Images for a gallery: grey or RGB between 0 and 1, and their residuals."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Channels = Literal["auto", "first", "last"]
Image = NDArray[Any]


def as_images(arrays: Any, name: str, channels: Channels) -> list[Image]:
    """Return one array (h, w) or (h, w, 3) for each image, in its original units.

    Raises
    ------
    ValueError
        There are none, one is not an image, or one contains NaN or infinity.
    """
    images = [_with_channels_last(np.asarray(image), name, channels) for image in arrays]
    if not images:
        raise ValueError(f"{name} is empty")
    for i, image in enumerate(images):
        if not np.isfinite(image).all():
            raise ValueError(f"{name}: image {i} contains NaN or infinity")
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


def display_range(images: Sequence[Image]) -> tuple[float, float]:
    """Return the values of black and white, by the data type where it defines them."""
    low = min(float(image.min()) for image in images)
    high = max(float(image.max()) for image in images)
    if images[0].dtype == np.uint8:
        return 0.0, 255.0
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


def scaled_to_range(image: Image, black: float, white: float) -> Image:
    """Scale an image so that black is 0 and white is 1."""
    scaled: Image = np.clip((image.astype(np.float64) - black) / (white - black), 0, 1)
    return scaled


def residual(image: Image, reconstruction: Image) -> Image:
    """Return the absolute difference, averaged over channels, at the size of `reconstruction`.

    If only one of the two has colours, both are converted to grey first.
    """
    image = image.astype(np.float64)
    if image.shape[:2] != reconstruction.shape[:2]:
        factors = [b / a for a, b in zip(image.shape, reconstruction.shape[:2], strict=False)]
        image = zoom(
            image, factors + [1] * (image.ndim - 2), order=1, grid_mode=True, mode="nearest"
        )
    if image.ndim != reconstruction.ndim:
        image, reconstruction = (
            array.mean(2) if array.ndim == 3 else array for array in (image, reconstruction)
        )
    difference: Image = np.abs(image - reconstruction)
    return difference.mean(2) if difference.ndim == 3 else difference
