"""Levelling: taking the light out of a photograph, and putting it back."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from .patches import Pair, resized

#: Least deviation that a levelled image is divided by: a flat one must not become noise.
_LEAST_SPREAD = 0.06
#: The same where the logarithm of brightness is levelled: a contrast of 10 %.
_LEAST_CONTRAST = 0.1
#: What is added to brightness, 0 to 2, before its logarithm is taken: 8 of 255 grey levels.
_DARKEST = 1 / 16
#: Levelled values are cut off at 6 deviations.
_LIMIT = 2.0


@dataclass(frozen=True)
class IlluminationCorrection:
    """What was taken off the values of an image, and what they were divided by.

    Attributes
    ----------
    middle : Tensor
        A number, or an image (c, h, w) where it differs from place to place.
    spread : float
        A third of what -1 to 1 became.
    logarithmic : bool
        Whether it was the logarithm of brightness that they were taken off.
    """

    middle: Tensor
    spread: float
    logarithmic: bool = False

    @classmethod
    def whole(cls, image: Tensor) -> tuple[Tensor, "IlluminationCorrection"]:
        """Take off the median of an image (c, h, w) of [-1, 1], and divide by its deviation."""
        level = cls(image.median(), 3 * (float(image.std(correction=0)) + _LEAST_SPREAD))
        return (image - level.middle) / level.spread, level

    @classmethod
    def local(cls, image: Tensor, window: float) -> tuple[Tensor, "IlluminationCorrection"]:
        """Take off what is around each place, by a Gaussian of deviation `window` pixels.

        It is taken off the logarithm of brightness, since light multiplies: a shadow is a
        difference there, as large in the dark as in the light.
        """
        light = (image + 1).clamp(min=0).add(_DARKEST).log()
        around = gaussian_filter(light.numpy(), (0, window, window), mode="reflect")
        left = light - torch.from_numpy(around)
        spread = 3 * (float(left.std(correction=0)) + _LEAST_CONTRAST)
        level = cls(torch.from_numpy(np.ascontiguousarray(around)), spread, logarithmic=True)
        return (left / spread).clamp(-_LIMIT, _LIMIT), level

    def undone(self, pixels: Tensor) -> Tensor:
        """Return pixels (n, c, h, w) such as the levelled ones as they would have been."""
        size: Pair = pixels.shape[-2], pixels.shape[-1]
        middle = resized(self.middle, size) if self.middle.ndim else self.middle
        found = pixels * self.spread + middle
        return found.exp() - _DARKEST - 1 if self.logarithmic else found
