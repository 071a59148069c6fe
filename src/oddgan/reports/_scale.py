"""Axes for scores that show both the bulk and the tail."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from ._arrays import Floats

#: Longest tail on a linear axis, in widths of the bulk.
_MAX_LINEAR_TAIL = 20
#: Distance in widths of the bulk outside which values are drawn at the end of the axis and counted.
_CLIP_WIDTHS = 1e6


@dataclass(frozen=True)
class ScoreScale:
    """An axis for scores.

    The bulk is between the 5 % and the 95 % quantile of the reference scores. The axis is linear
    if no score is further from their median than 20 widths of the bulk. Otherwise it is
    logarithmic if all scores are positive, the largest is more than 20 times the median, and the
    width of the bulk is at least a fifth of the median. Otherwise it is
    arsinh((score - median) / width): linear in the bulk and logarithmic outside it.

    Attributes
    ----------
    kind : {"linear", "log", "arsinh"}
    centre, width : float
        Median and width of the bulk.
    low, high : float
        Ends of the axis.
    """

    kind: Literal["linear", "log", "arsinh"]
    centre: float
    width: float
    low: float
    high: float

    @classmethod
    def of(cls, reference: Floats, scores: Floats) -> Self:
        """Choose the axis for `scores` by the bulk of `reference`."""
        centre = float(np.median(reference))
        low, high = float(scores.min()), float(scores.max())
        width = float(np.subtract(*np.quantile(reference, (0.95, 0.05))))
        if width <= 1e-12 * abs(centre):  # equal reference scores: use the range of all scores
            width = (high - low) / 10 or max(abs(centre), 1.0) / 10
        low, high = (
            max(low, centre - _CLIP_WIDTHS * width),
            min(high, centre + _CLIP_WIDTHS * width),
        )
        if max(high - centre, centre - low) <= _MAX_LINEAR_TAIL * width:
            return cls("linear", centre, width, low, high)
        if low > 0 and high > _MAX_LINEAR_TAIL * centre and width >= centre / 5:
            return cls("log", centre, width, low, high)
        return cls("arsinh", centre, width, low, high)

    def forward(self, values: Floats) -> Floats:
        """Return the positions of scores on the axis."""
        if self.kind == "log":
            return np.log10(np.maximum(values, np.finfo(np.float64).tiny))
        return values if self.kind == "linear" else np.arcsinh((values - self.centre) / self.width)

    def inverse(self, positions: Floats) -> Floats:
        """Return the scores at these positions."""
        if self.kind == "log":
            return np.power(10.0, positions)
        return positions if self.kind == "linear" else self.centre + self.width * np.sinh(positions)

    def edges(self, n: int) -> Floats:
        """Return the edges of n bins of equal width on the axis."""
        ends = self.forward(np.array([self.low, self.high]))
        if ends[1] <= ends[0]:
            return np.linspace(self.low - self.width / 2, self.high + self.width / 2, n + 1)
        values = self.inverse(np.linspace(ends[0], ends[1], n + 1))
        values[[0, -1]] = self.low, self.high  # exact, without rounding errors
        return values

    def clipped(self, values: Floats) -> tuple[Floats, int]:
        """Clip scores to the axis; also return how many lie outside it."""
        outside = (values < self.low) | (values > self.high)
        return np.clip(values, self.low, self.high), int(outside.sum())

    def apply(self, ax: Axes, direction: Literal["x", "y"], n_ticks: int = 5) -> None:
        """Set this scale on the horizontal or the vertical axis."""
        axis, set_scale = (
            (ax.xaxis, ax.set_xscale) if direction == "x" else (ax.yaxis, ax.set_yscale)
        )
        if self.kind == "log":
            set_scale("log")
            if self.high / self.low > 100:
                axis.set_minor_locator(NullLocator())
        elif self.kind == "arsinh":
            set_scale("function", functions=(self.forward, self.inverse))
            ticks = self._ticks(n_ticks)
            axis.set_major_locator(FixedLocator(list(ticks)))
            axis.set_major_formatter(FixedFormatter([_short(tick) for tick in ticks]))
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_major_locator(MaxNLocator(n_ticks))

    @property
    def label_suffix(self) -> str:
        """The text that the label of the axis adds for this scale."""
        return {"linear": "", "log": ", logarithmic", "arsinh": ", compressed far from the bulk"}[
            self.kind
        ]

    def _ticks(self, n: int) -> list[float]:
        """Return round scores at roughly equal distances on the axis."""
        ends = self.forward(np.array([self.low, self.high]))
        exact = self.inverse(np.linspace(ends[0], ends[1], n))
        gaps = np.minimum(*(np.diff(exact, prepend=-np.inf), np.diff(exact, append=np.inf)))
        units = 10.0 ** np.floor(np.log10(gaps))
        return sorted({float(round(v / u) * u) for v, u in zip(exact, units, strict=True)})


def _short(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1e5 else f"{value:.3g}"
