"""Images of a page: shrunk and embedded."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .samples import ReportedSample

#: Longer sides of pictures in pixels, tried in this order until all fit into this many bytes.
_SIDES = (224, 160, 112, 80, 56)
_MAX_BYTES = 2_000_000
#: Largest side of images stored without loss, and largest side of maps without outlines.
_SMALL, _NO_OUTLINE = 64, 32
#: Quantile of the map values that has the brightest colour.
_BRIGHTEST_QUANTILE = 0.995
_HEAT = colormaps["inferno"]
_OUTLINE = (64, 224, 255)


def embed_pictures(samples: Sequence[ReportedSample], pixel_threshold: float | None) -> float:
    """Write the images of samples as ``data:`` addresses to `ReportedSample.pictures`.

    The pictures have the largest common size at which all of them take at most 2 MB.

    Parameters
    ----------
    samples : sequence of ReportedSample
    pixel_threshold : float or None
        Map pixels above it are outlined.

    Returns
    -------
    float
        Map values from this one up have the brightest colour: the 99.5 % quantile of all map
        pixels. With the maximum instead, a single pixel could leave all others dark.
    """
    maps = [sample.anomaly_map for sample in samples if sample.anomaly_map is not None]
    brightest = 0.0
    if maps:
        brightest = float(
            np.quantile(
                np.concatenate([anomaly_map.ravel() for anomaly_map in maps]), _BRIGHTEST_QUANTILE
            )
        )
    for side in _SIDES:
        for sample in samples:
            sample.pictures = _pictures(sample, side, brightest, pixel_threshold)
        n_bytes = sum(len(text) for sample in samples for text in sample.pictures.values())
        if n_bytes <= _MAX_BYTES:
            break
    return brightest


def has_outlines(samples: Sequence[ReportedSample]) -> bool:
    """Return whether any map is large enough for outlines of the pixels above the threshold."""
    return any(
        sample.anomaly_map is not None and max(sample.anomaly_map.shape) > _NO_OUTLINE
        for sample in samples
    )


def _pictures(
    sample: ReportedSample, side: int, brightest: float, threshold: float | None
) -> dict[str, str]:
    pictures = {}
    if sample.image is not None:
        pictures["input"] = address(_smaller(sample.image, side))
    if sample.reconstruction is not None:
        pictures["reconstruction"] = address(_smaller(sample.reconstruction, side))
    if sample.anomaly_map is not None:
        pictures["anomaly map"] = address(_heat(sample.anomaly_map, side, brightest, threshold))
    return pictures


def _smaller(image: NDArray[np.uint8], side: int) -> Image.Image:
    """Shrink an image until its longer side is at most `side`."""
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def _heat(
    values: NDArray[Any], side: int, brightest: float, threshold: float | None
) -> Image.Image:
    """Return a map in colours; large maps have outlines around pixels above the threshold."""
    shrink = max(1.0, max(values.shape) / side)
    size = tuple(max(1, round(n / shrink)) for n in values.shape)
    # The maximum within each new pixel, so that small defects do not fade.
    small = _largest(values, size)
    colours = _HEAT(np.clip(small / (brightest or 1.0), 0, 1), bytes=True)[..., :3]
    if threshold is not None and max(values.shape) > _NO_OUTLINE:
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
    """Return a picture as a ``data:`` address: PNG if it is small, otherwise JPEG."""
    small = max(image.size) <= _SMALL
    buffer = io.BytesIO()
    write: Callable[..., None] = image.save
    write(buffer, "PNG", optimize=True) if small else write(buffer, "JPEG", quality=82)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
