"""Uploaded images, whose headers are checked before they are decoded."""

import io

from PIL import Image, UnidentifiedImageError

from oddgan import inputs
from oddgan.inputs import Raw

from .errors import RequestError
from .limits import Limits
from .memory import Share

#: The formats of `inputs.open_source`, by content and not by name.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
#: Maximum size of a decoded pixel.
_PIXEL_BYTES = 4


def decode(files: list[tuple[str, bytes]], limits: Limits, share: Share) -> Raw:
    """Decode the images of a request.

    Parameters
    ----------
    files : list of (str, bytes)
        Name and content of each.
    limits : Limits
        Limits on their pixels.
    share : Share
        The request's share of memory.

    Raises
    ------
    RequestError
        An image has too many pixels (413) or cannot be decoded (422), or there is not enough
        memory for them now (503).
    """
    n_pixels = sum(_size(name, content, limits) for name, content in files)
    if n_pixels > limits.all_pixels:
        raise RequestError(
            413,
            f"these images have {n_pixels} pixels together, more than the {limits.all_pixels} of "
            "one request: send fewer at a time",
        )
    share.add(_PIXEL_BYTES * n_pixels)
    return [_decode(name, content) for name, content in files]


def _size(name: str, content: bytes, limits: Limits) -> int:
    """Return the number of pixels according to the header of an image."""
    with _opened(name, content) as image:
        n_pixels: int = image.width * image.height
    if n_pixels > limits.pixels:
        raise RequestError(413, f"{name}: {n_pixels} pixels, more than {limits.pixels}")
    return n_pixels


def _opened(name: str, content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise RequestError(422, f"{name}: not an image in PNG, JPEG, TIFF or BMP format") from error
    except Image.DecompressionBombError as error:
        raise RequestError(413, f"{name}: far too many pixels") from error
    except Exception as error:  # a damaged header can raise anything
        raise RequestError(422, f"{name}: cannot be read as an image") from error


def _decode(name: str, content: bytes) -> inputs.Raw:
    try:
        with _opened(name, content) as image:
            return inputs.pixels_of(image)
    except (RequestError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise anything
        raise RequestError(422, f"{name}: cannot be read as an image, it is damaged") from error
