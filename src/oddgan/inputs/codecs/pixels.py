"""The values of pixels: which kinds of numbers there are, and how they become [-1, 1]."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddgan.inputs.raw import Array, Raw, Rows, place


@dataclass(frozen=True)
class Pixels:
    """What the values of pixels are: their family, and the range that becomes [-1, 1].

    Attributes
    ----------
    family : {"uint8", "uint16", "bool", "float"}
        Images of one family never pass for another, as their ranges differ.
    dtype : str
        What decoded images hold.
    low, high : float
        The range.
    """

    family: str
    dtype: str
    low: float
    high: float

    def scale(self, images: Array) -> NDArray[np.float32]:
        """Bring pixels to [-1, 1]."""
        # float64 images stay so until they are small: 1e9 and 1e9 + 1 are the same float32.
        work = np.promote_types(images.dtype, np.float32) if self.family == "float" else np.float32
        values: Array = images.astype(work)
        values = (values - self.low) * (2 / (self.high - self.low)) - 1
        return values.astype(np.float32, copy=False)

    def unscale(self, images: NDArray[np.float32]) -> Array:
        """Bring values of [-1, 1] back to pixels; whole numbers are rounded and clipped."""
        values = (images.astype(np.float64) + 1) * ((self.high - self.low) / 2) + self.low
        if self.family == "float":
            return values.astype(self.dtype)
        if self.family == "bool":
            return values > 0.5
        return np.clip(np.rint(values), self.low, self.high).astype(self.dtype)


def learn_pixels(sample: Raw, rows: Rows = None) -> Pixels:
    """Learn family and range of the values from training images.

    Raises
    ------
    ValueError
        If images differ in family, hold NaN or infinity, or one single value everywhere.
    """
    images = list(sample)
    family = family_of(images[0].dtype)
    for i, image in enumerate(images):
        if family_of(image.dtype) != family:
            raise ValueError(
                f"image {place(rows, i)} holds {image.dtype} values, image {place(rows, 0)} "
                f"{images[0].dtype}: "
                "convert them to one kind"
            )
        check_pixels(image[None], [place(rows, i)])
    low = float(min(image.min() for image in images))
    high = float(max(image.max() for image in images))
    if low == high:
        raise ValueError(f"constant images: every pixel is {low:g}, so there is nothing to learn")
    ranges = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "bool": (0.0, 1.0)}
    if family in ranges:
        return Pixels(family, family, *ranges[family])
    dtype = "float64" if any(image.dtype == np.float64 for image in images) else "float32"
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= -1 and high <= 1:
        low, high = -1.0, 1.0
    return Pixels(family, dtype, low, high)


def family_of(dtype: np.dtype[Any]) -> str:
    """Return the family of an array's values, or refuse them."""
    if dtype.kind == "f":
        return "float"
    if dtype in (np.uint8, np.uint16, np.bool_):
        return dtype.name
    raise ValueError(f"images of {dtype}; expected uint8, uint16, bool or float: convert them")


def check_pixels(batch: Array, rows: Rows) -> None:
    """Refuse NaN and infinity in images, naming the first such image."""
    if batch.dtype.kind != "f":
        return
    finite = np.isfinite(batch).reshape(len(batch), -1).all(axis=1)
    if not finite.all():
        row = place(rows, int(finite.argmin()))
        raise ValueError(f"image {row} holds NaN or infinity")
