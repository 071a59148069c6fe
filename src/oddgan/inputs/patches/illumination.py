"""Illumination correction: removing differences in lighting from a photograph, and the inverse."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from oddgan.inputs.image_size import Size, resize

#: Added to the standard deviation that values are divided by: a flat image must not become noise.
_MIN_SPREAD = 0.06
#: The same for the logarithm of brightness: a contrast of 10 %.
_MIN_CONTRAST = 0.1
#: Added to brightness, 0 to 2, before its logarithm is taken: 8 of 255 grey levels.
_DARKEST = 1 / 16
#: Values are clipped at 6 standard deviations.
_LIMIT = 2.0


@dataclass(frozen=True)
class IlluminationCorrection:
    """The offset subtracted from the values of an image, and the scale they were divided by.

    Attributes
    ----------
    offset : Tensor
        A number, or an image (c, h, w) if it differs by location.
    scale : float
        Three standard deviations, which become 1.
    logarithmic : bool
        Whether the logarithm of brightness was corrected, not the values.
    """

    offset: Tensor
    scale: float
    logarithmic: bool = False

    @classmethod
    def by_median(cls, image: Tensor) -> tuple[Tensor, "IlluminationCorrection"]:
        """Subtract the median of an image (c, h, w) in [-1, 1], and divide by its deviation."""
        correction = cls(image.median(), 3 * (float(image.std(correction=0)) + _MIN_SPREAD))
        return (image - correction.offset) / correction.scale, correction

    @classmethod
    def by_surroundings(
        cls, image: Tensor, window: float
    ) -> tuple[Tensor, "IlluminationCorrection"]:
        """Subtract the mean around each pixel, by a Gaussian of deviation `window` pixels.

        It is subtracted from the logarithm of brightness, since light multiplies: a shadow becomes
        a difference that is equally large in dark and bright regions.
        """
        light = (image + 1).clamp(min=0).add(_DARKEST).log()
        surroundings = gaussian_filter(light.numpy(), (0, window, window), mode="reflect")
        offset = torch.from_numpy(np.ascontiguousarray(surroundings))
        contrast = light - offset
        scale = 3 * (float(contrast.std(correction=0)) + _MIN_CONTRAST)
        return (contrast / scale).clamp(-_LIMIT, _LIMIT), cls(offset, scale, logarithmic=True)

    def undo(self, pixels: Tensor) -> Tensor:
        """Return corrected pixels (n, c, h, w) as they would be without the correction."""
        size: Size = pixels.shape[-2], pixels.shape[-1]
        offset = resize(self.offset[None], size)[0] if self.offset.ndim else self.offset
        values = pixels * self.scale + offset
        return values.exp() - _DARKEST - 1 if self.logarithmic else values
