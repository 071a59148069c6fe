"""The axis of the scores on a page, and its histogram."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from oddgan.reports._scale import ScoreScale

from .words import figure

Floats = NDArray[np.float64]

_BINS = 60
#: Margin at both ends, and smallest distance of labels, as shares of the axis.
_MARGIN, _MIN_DISTANCE = 0.02, 0.13
#: Smallest sufficient number of labels with one significant digit.
_MIN_LABELS = 4


@dataclass(frozen=True)
class Axis:
    """Positions of scores on the axis of a page, from 0 (left) to 1 (right), by `ScoreScale`.

    Attributes
    ----------
    kind : {"linear", "log", "arsinh"}
    centre, width : float
        Parameters of arsinh((score - centre) / width).
    low, high : float
        The ends of the axis: scores, their decimal logarithms or their arsinh.
    """

    kind: str
    centre: float
    width: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: Floats, held_out: Floats) -> "Axis":
        """Choose the axis of scores, as `ScoreScale` does for figures."""
        scale = ScoreScale.of(held_out, np.concatenate([scores, held_out]))
        low, high = map(float, scale.forward(np.array([scale.low, scale.high])))
        margin = _MARGIN * (high - low) or scale.width
        return cls(scale.kind, scale.centre, scale.width, low - margin, high + margin)

    def positions(self, scores: Floats) -> Floats:
        """Return the positions of scores, clipped to the ends."""
        values = self._scale.forward(np.asarray(scores, dtype=np.float64))
        shares: Floats = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return shares

    def ticks(self) -> list[tuple[float, str]]:
        """Return positions and labels of ticks, the roundest if not all of them fit."""
        if self.kind == "linear":
            values = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
            scores = np.asarray([score for score in values if self.low <= score <= self.high])
            return [
                (position, figure(score))
                for position, score in zip(
                    self.positions(scores).tolist(), scores.tolist(), strict=True
                )
            ]
        candidates = list(self._round_scores())
        one_digit = [score for score in candidates if len(f"{abs(score):g}".strip("0.")) <= 1]
        ticks = self._without_overlap(one_digit)
        return sorted(
            (ticks if len(ticks) >= _MIN_LABELS else self._without_overlap(candidates)).items()
        )

    def _without_overlap(self, scores: Sequence[float]) -> dict[float, str]:
        labels: dict[float, str] = {}
        for score, position in zip(scores, self.positions(np.array(scores)).tolist(), strict=True):
            if all(abs(position - other) >= _MIN_DISTANCE for other in labels):
                labels[position] = figure(score)
        return labels

    def _round_scores(self) -> Iterator[float]:
        """Yield multiples of 1, 5 and 2 times the powers of ten, the roundest first."""
        ends = self._scale.inverse(np.array([self.low, self.high]))
        first, last = map(float, ends)
        top = floor(log10(max(abs(first), abs(last), 1e-300)))
        for exponent in range(top, top - 12, -1):
            for unit in (10.0**exponent, 5 * 10.0**exponent, 2 * 10.0**exponent):
                low, high = max(first, self.centre - 50 * unit), min(last, self.centre + 50 * unit)
                for k in range(ceil(low / unit), floor(high / unit) + 1):
                    yield float(f"{k * unit:.12g}")

    @property
    def _scale(self) -> ScoreScale:
        return ScoreScale(self.kind, self.centre, self.width, 0.0, 0.0)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters with which a page computes positions."""
        return asdict(self)


@dataclass(frozen=True)
class Outline:
    """One group of a histogram.

    Attributes
    ----------
    name : str
    n : int
        Number of scores.
    path : str
        The outline as an SVG path in a box of 1000 x 100.
    """

    name: str
    n: int
    path: str


def histogram(axis: Axis, groups: Mapping[str, Floats]) -> tuple[list[Outline], float]:
    """Return the outline of each group, and the share at the top of the box.

    Each bar is a share of its group, so that a few anomalies stay visible among many normal
    samples.
    """
    shares = {
        name: np.histogram(axis.positions(scores), bins=_BINS, range=(0, 1))[0] / len(scores)
        for name, scores in groups.items()
    }
    highest = max(float(share.max()) for share in shares.values())
    outlines = [
        Outline(name, len(groups[name]), _path(share / highest)) for name, share in shares.items()
    ]
    return outlines, highest


def _path(heights: Floats) -> str:
    bin_width = 1000 / len(heights)
    steps = [
        f"V{100 - 100 * height:.2f}H{(i + 1) * bin_width:.1f}" for i, height in enumerate(heights)
    ]
    return f"M0,100{''.join(steps)}V100"
