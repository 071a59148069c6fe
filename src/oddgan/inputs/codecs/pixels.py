"""The values of pixels: their families of number types, and their scaling to [-1, 1]."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oddgan.inputs.raw import Array, Raw, Rows, sample_name


@dataclass(frozen=True)
class Pixels:
    """The family of pixel values, and the range that is scaled to [-1, 1].

    Attributes
    ----------
    family : {"uint8", "uint16", "bool", "float"}
        Images of another family are refused, as their ranges differ.
    dtype : str
        Type of decoded images.
    low, high : float
        The range.
    """

    family: str
    dtype: str
    low: float
    high: float

    @classmethod
    def fit(cls, sample: Raw, rows: Rows = None) -> Self:
        """Find the family and range of the values in training images.

        Raises
        ------
        ValueError
            If images differ in family, contain NaN or infinity, or a single value everywhere.
        """
        images = list(sample)
        family = family_of(images[0].dtype)
        for i, image in enumerate(images):
            if family_of(image.dtype) != family:
                raise ValueError(
                    f"image {sample_name(rows, i)} holds {image.dtype} values, image "
                    f"{sample_name(rows, 0)} {images[0].dtype}: convert them to one type"
                )
            check_pixels(image[None], [sample_name(rows, i)])
        low = float(min(image.min() for image in images))
        high = float(max(image.max() for image in images))
        if low == high:
            raise ValueError(
                f"constant images: every pixel is {low:g}, so there is nothing to learn"
            )
        ranges = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "bool": (0.0, 1.0)}
        if family in ranges:
            return cls(family, family, *ranges[family])
        dtype = "float64" if any(image.dtype == np.float64 for image in images) else "float32"
        if low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        elif low >= -1 and high <= 1:
            low, high = -1.0, 1.0
        return cls(family, dtype, low, high)

    def scale(self, images: Array) -> NDArray[np.float32]:
        """Scale pixels to [-1, 1]."""
        # float64 images are converted after scaling: 1e9 and 1e9 + 1 are the same float32.
        work = np.promote_types(images.dtype, np.float32) if self.family == "float" else np.float32
        values: Array = images.astype(work)
        values = (values - self.low) * (2 / (self.high - self.low)) - 1
        return values.astype(np.float32, copy=False)

    def unscale(self, images: NDArray[np.float32]) -> Array:
        """Scale values in [-1, 1] back to pixels; integers are rounded and clipped."""
        values = (images.astype(np.float64) + 1) * ((self.high - self.low) / 2) + self.low
        if self.family == "float":
            return values.astype(self.dtype)
        if self.family == "bool":
            return values > 0.5
        return np.clip(np.rint(values), self.low, self.high).astype(self.dtype)


def family_of(dtype: np.dtype[Any]) -> str:
    """Return the family of an array's values; other types are refused."""
    if dtype.kind == "f":
        return "float"
    if dtype in (np.uint8, np.uint16, np.bool_):
        return dtype.name
    raise ValueError(f"images of {dtype}; expected uint8, uint16, bool or float: convert them")


def check_pixels(batch: Array, rows: Rows) -> None:
    """Refuse NaN and infinity in images, naming the first image that contains them."""
    if batch.dtype.kind != "f":
        return
    finite = np.isfinite(batch).reshape(len(batch), -1).all(axis=1)
    if not finite.all():
        name = sample_name(rows, int(finite.argmin()))
        raise ValueError(f"image {name} holds NaN or infinity")
