"""Images in a page: made small, and written into it."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .gathering import Shown

#: Longer sides of pictures, in pixels, that are tried until all of them fit into so many bytes.
_SIDES = (224, 160, 112, 80, 56)
_MOST_BYTES = 2_000_000
#: Images up to this side are kept pixel for pixel, and those above this have room for an outline.
_SMALL, _ROOM = 64, 32
#: Share of the pixels shown that are not the brightest.
_DIM = 0.995
_HEAT = colormaps["inferno"]
_OUTLINE = (64, 224, 255)


def draw(samples: Sequence[Shown], pixel_threshold: float | None) -> float:
    """Draw what there is of images, as ``data:`` addresses, in `Shown.pictures`.

    The pictures have one size, the largest at which all of them take no more than 2 MB.

    Parameters
    ----------
    samples : sequence of Shown
    pixel_threshold : float or None
        Pixels of a map above it are outlined.

    Returns
    -------
    float
        From which value on pixels of maps have the brightest colour: the 99.5 % quantile of the
        pixels of these samples. By the largest a single one would leave all others dark.
    """
    maps = [sample.anomaly_map for sample in samples if sample.anomaly_map is not None]
    brightest = 0.0
    if maps:
        brightest = float(np.quantile(np.concatenate([one.ravel() for one in maps]), _DIM))
    for side in _SIDES:
        for sample in samples:
            sample.pictures = _of(sample, side, brightest, pixel_threshold)
        n_bytes = sum(len(text) for sample in samples for text in sample.pictures.values())
        if n_bytes <= _MOST_BYTES:
            break
    return brightest


def has_outlines(samples: Sequence[Shown]) -> bool:
    """Return whether there is room on any map to outline what is above the threshold."""
    return any(
        sample.anomaly_map is not None and max(sample.anomaly_map.shape) > _ROOM
        for sample in samples
    )


def _of(sample: Shown, side: int, brightest: float, threshold: float | None) -> dict[str, str]:
    pictures = {}
    if sample.image is not None:
        pictures["input"] = address(_smaller(sample.image, side))
    if sample.reconstruction is not None:
        pictures["reconstruction"] = address(_smaller(sample.reconstruction, side))
    if sample.anomaly_map is not None:
        pictures["anomaly map"] = address(_heat(sample.anomaly_map, side, brightest, threshold))
    return pictures


def _smaller(image: NDArray[np.uint8], side: int) -> Image.Image:
    """Return an image whose longer side is at most `side`."""
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def _heat(
    values: NDArray[Any], side: int, brightest: float, threshold: float | None
) -> Image.Image:
    """Return a map in colours, with the pixels above the threshold outlined where there is room."""
    shrink = max(1.0, max(values.shape) / side)
    size = tuple(max(1, round(n / shrink)) for n in values.shape)
    # The largest value of what becomes one pixel: a small defect must not fade.
    small = _largest(values, size)
    colours = _HEAT(np.clip(small / (brightest or 1.0), 0, 1), bytes=True)[..., :3]
    if threshold is not None and max(values.shape) > _ROOM:
        inside = small > threshold
        colours[inside & ~ndimage.binary_erosion(inside, border_value=1)] = _OUTLINE
    return Image.fromarray(colours)


def _largest(values: NDArray[Any], size: tuple[int, ...]) -> NDArray[Any]:
    for axis, n in enumerate(size):
        if n < values.shape[axis]:
            starts = np.arange(n) * values.shape[axis] // n
            values = np.maximum.reduceat(values, starts, axis=axis)
    return values


def address(image: Image.Image) -> str:
    """Return a picture as a ``data:`` address: PNG where it is small, else JPEG."""
    small = max(image.size) <= _SMALL
    held = io.BytesIO()
    write: Callable[..., None] = image.save
    write(held, "PNG", optimize=True) if small else write(held, "JPEG", quality=82)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(held.getvalue()).decode('ascii')}"
