"""How an axis of scores is drawn, so that neither the bulk nor the tail is lost."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from ._arrays import Floats

#: Spreads of the bulk that a tail may be long on a linear axis.
_LONG = 20
#: Spreads beyond which a value is drawn at the end of the axis, and counted.
_FAR = 1e6


@dataclass(frozen=True)
class ScoreScale:
    """An axis for scores.

    The bulk is between the 5 % and the 95 % quantile of the reference scores. The axis is linear
    where no score is further from their median than 20 widths of the bulk. Otherwise it is
    logarithmic if all scores are positive, the largest is more than 20 times the median and the
    bulk spans at least a fifth of the median; else it is arsinh((score - median) / width), which
    is linear in the bulk and logarithmic beyond it.

    Attributes
    ----------
    kind : {"linear", "log", "arsinh"}
    centre, width : float
        Median and width of the bulk.
    low, high : float
        Ends of what is drawn.
    """

    kind: Literal["linear", "log", "arsinh"]
    centre: float
    width: float
    low: float
    high: float

    @classmethod
    def of(cls, reference: Floats, every: Floats) -> Self:
        """Choose by the bulk of `reference` for `every` score."""
        centre = float(np.median(reference))
        low, high = float(every.min()), float(every.max())
        width = float(np.subtract(*np.quantile(reference, (0.95, 0.05))))
        if width <= 1e-12 * abs(centre):  # all alike: the rest has the say
            width = (high - low) / 10 or max(abs(centre), 1.0) / 10
        low, high = max(low, centre - _FAR * width), min(high, centre + _FAR * width)
        if max(high - centre, centre - low) <= _LONG * width:
            return cls("linear", centre, width, low, high)
        if low > 0 and high > _LONG * centre and width >= centre / 5:
            return cls("log", centre, width, low, high)
        return cls("arsinh", centre, width, low, high)

    def forward(self, values: Floats) -> Floats:
        """Return where on the axis scores lie, in steps of equal length."""
        if self.kind == "log":
            return np.log10(np.maximum(values, np.finfo(np.float64).tiny))
        return values if self.kind == "linear" else np.arcsinh((values - self.centre) / self.width)

    def inverse(self, places: Floats) -> Floats:
        """Return the scores at these places."""
        if self.kind == "log":
            return np.power(10.0, places)
        return places if self.kind == "linear" else self.centre + self.width * np.sinh(places)

    def edges(self, n: int) -> Floats:
        """Return the edges of n bins of equal length on the axis."""
        ends = self.forward(np.array([self.low, self.high]))
        if ends[1] <= ends[0]:
            return np.linspace(self.low - self.width / 2, self.high + self.width / 2, n + 1)
        values = self.inverse(np.linspace(ends[0], ends[1], n + 1))
        values[[0, -1]] = self.low, self.high  # not a rounding error beside them
        return values

    def clipped(self, values: Floats) -> tuple[Floats, int]:
        """Return scores as they are drawn, and how many lie beyond the ends."""
        beyond = (values < self.low) | (values > self.high)
        return np.clip(values, self.low, self.high), int(beyond.sum())

    def apply(self, ax: Axes, which: Literal["x", "y"], n_ticks: int = 5) -> None:
        """Give the horizontal or the vertical axis this scale."""
        axis, set_scale = (ax.xaxis, ax.set_xscale) if which == "x" else (ax.yaxis, ax.set_yscale)
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
    def said(self) -> str:
        """What the label of the axis adds."""
        return {"linear": "", "log": ", logarithmic", "arsinh": ", compressed far from the bulk"}[
            self.kind
        ]

    def _ticks(self, n: int) -> list[float]:
        """Return round scores at about equal distances on the axis."""
        ends = self.forward(np.array([self.low, self.high]))
        exact = self.inverse(np.linspace(ends[0], ends[1], n))
        gaps = np.minimum(*(np.diff(exact, prepend=-np.inf), np.diff(exact, append=np.inf)))
        units = 10.0 ** np.floor(np.log10(gaps))
        return sorted({float(round(v / u) * u) for v, u in zip(exact, units, strict=True)})


def _short(value: float) -> str:
    return f"{value:,.6g}" if abs(value) < 1e5 else f"{value:.3g}"
