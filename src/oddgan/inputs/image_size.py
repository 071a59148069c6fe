"""Sizes of images: checked, and images resized to them."""

from numbers import Integral
from typing import Any, TypeAlias

from torch import Tensor
from torch.nn import functional as F

Size: TypeAlias = tuple[int, int]  # height, width


def as_size(value: Any, name: str) -> Size:
    """Return a side, or a height and width, as (height, width); messages call it `name`."""
    sides: Any = value if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2 or not all(isinstance(side, Integral) and int(side) > 0 for side in sides):
        raise ValueError(
            f"{name} must be a whole number or a pair of them (height, width), not {value}"
            + ("; a share needs patch_size" if isinstance(value, float) else "")
        )
    return int(sides[0]), int(sides[1])


def resize(images: Tensor, size: Size) -> Tensor:
    """Return images (n, c, h, w) at another size, bilinear with antialiasing."""
    if tuple(images.shape[2:]) == size:
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
