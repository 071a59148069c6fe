"""Pseudo-anomalies: random defects on normal images."""

from math import pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from oddgan.networks.layers import Noise

#: Cells per side of the random fields: from large areas to fine grain.
_CELLS = (3, 6, 12, 24)


class PseudoAnomalies(nn.Module):
    """Add a random defect to each image, with a known mask.

    The mask is a blob, a bent stroke, a rectangle or a spot; the content is the texture of another
    image, a change of brightness, grain or blur, blended in with some opacity and a sharp or soft
    edge. Everything is drawn for every image, from separate generators (see :class:`Noise`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.uniform = Noise("uniform")
        self.normal = Noise("normal")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return images with a defect, (n, c, h, w), and its mask, (n, 1, h, w), 0 or 1."""
        mask = self._masks(x)
        soft = F.avg_pool2d(F.pad(mask, (1, 1, 1, 1), mode="replicate"), 3, 1)
        edge = torch.where(self._number(x) < 0.5, mask, soft)
        opacity = 0.4 + 0.6 * self._number(x)
        return torch.lerp(x, self._contents(x), edge * opacity), mask

    def lit(self, x: Tensor) -> Tensor:
        """Return images with a random contrast, brightness and smooth illumination."""
        contrast = 1 + 0.35 * (2 * self._number(x) - 1)
        brightness: Tensor = 0.2 * self.normal(x[:, :1, :1, :1])
        illumination = 0.25 * self._number(x) * self._field(x, _CELLS[:1])
        return x * contrast + brightness + illumination

    def _number(self, x: Tensor) -> Tensor:
        """Draw a number from [0, 1) for each image."""
        draws: Tensor = self.uniform(x[:, :1, :1, :1])
        return draws

    def _choice(self, x: Tensor, options: list[Tensor], probabilities: list[float]) -> Tensor:
        """Choose one of the options for each image, with these probabilities."""
        bounds = torch.tensor(probabilities, device=x.device).cumsum(0)[:-1]
        index = torch.bucketize(self._number(x).flatten(), bounds)
        return torch.stack(options)[index, torch.arange(len(x), device=x.device)]

    def _field(self, x: Tensor, cells: tuple[int, ...] = _CELLS) -> Tensor:
        """Draw a smooth field, (n, 1, h, w), about N(0, 1), with one of these numbers of cells."""
        fields = [
            F.interpolate(
                self.normal(x.new_empty(len(x), 1, n, n)),
                x.shape[2:],
                mode="bicubic",
                align_corners=False,
            )
            for n in cells
        ]
        return self._choice(x, fields, [1 / len(cells)] * len(cells))

    def _masks(self, x: Tensor) -> Tensor:
        """Draw masks: blobs, bent strokes, rectangles and spots, (n, 1, h, w)."""
        h, w = x.shape[2:]
        rows = torch.arange(h, device=x.device, dtype=x.dtype)[:, None]
        columns = torch.arange(w, device=x.device, dtype=x.dtype)
        down, right = rows - h * self._number(x), columns - w * self._number(x)
        angle = pi * self._number(x)
        across = right * angle.cos() + down * angle.sin()
        along = down * angle.cos() - right * angle.sin()
        blob = self._field(x) > 0.4 + 1.4 * self._number(x)
        bend = across + 0.01 * self.normal(angle) * along.square() + 3 * self._field(x, (6,))
        stroke = bend.abs() < 0.7 + 2.5 * self._number(x)
        stroke &= along.abs() < 4 + h / 2 * self._number(x)
        rectangle = down.abs() < h * (0.05 + 0.4 * self._number(x))
        rectangle = rectangle & (right.abs() < w * (0.05 + 0.9 * self._number(x)))
        length = h * (0.02 + 0.1 * self._number(x))
        width = length * (0.3 + 0.7 * self._number(x))
        ellipse = (across / length).square() + (along / width).square()
        spot = ellipse < 1 + 0.4 * self._field(x, (6,))
        masks = [mask.to(x.dtype) for mask in (blob, stroke, rectangle, spot)]
        return self._choice(x, masks, [0.25] * 4)

    def _contents(self, x: Tensor) -> Tensor:
        """Draw contents: foreign texture, another brightness, grain or blur, (n, c, h, w)."""
        step = 0.35 * self.normal(x[:, :1, :1, :1])
        other = x.roll(1, 0).flip(2)
        if x.shape[2] == x.shape[3]:
            other = torch.where(self._number(x) < 0.3, other.transpose(2, 3), other)
        # Darker more often than brighter: holes, cracks and dirt are dark.
        sign = torch.where(self._number(x) < 0.7, -1.0, 1.0)
        shade = x + sign * (0.25 + 0.65 * self._number(x))
        grain = x + (0.15 + 0.25 * self._number(x)) * self._field(x) + step
        blur = F.avg_pool2d(F.pad(x, (3, 3, 3, 3), mode="replicate"), 7, 1) + step
        return self._choice(x, [other + step, shade, grain, blur], [0.3, 0.4, 0.15, 0.15])
