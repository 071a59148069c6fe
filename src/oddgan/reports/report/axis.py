"""The axis of the scores on a page, and the histogram above it."""

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
#: Share of the axis that is empty at both ends, and by which labels lie apart at least.
_MARGIN, _APART = 0.02, 0.13
#: Labels of one significant digit that are enough.
_LEAST = 4


@dataclass(frozen=True)
class Axis:
    """Where a score lies on the axis, from 0 (left) to 1 (right): `ScoreScale`, for a page.

    Attributes
    ----------
    kind : {"linear", "log", "arsinh"}
    centre, width : float
        Of arsinh((score - centre) / width).
    low, high : float
        What lies at 0 and at 1: scores, their decimal logarithm or their arsinh.
    """

    kind: str
    centre: float
    width: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: Floats, held_out: Floats) -> "Axis":
        """Choose the axis for scores by the rule of the figures."""
        scale = ScoreScale.of(held_out, np.concatenate([scores, held_out]))
        low, high = map(float, scale.forward(np.array([scale.low, scale.high])))
        margin = _MARGIN * (high - low) or scale.width
        return cls(scale.kind, scale.centre, scale.width, low - margin, high + margin)

    def positions(self, scores: Floats) -> Floats:
        """Return where scores lie; those beyond an end at that end."""
        along = self._scale.forward(np.asarray(scores, dtype=np.float64))
        shares: Floats = np.clip((along - self.low) / (self.high - self.low), 0, 1)
        return shares

    def ticks(self) -> list[tuple[float, str]]:
        """Return positions and labels of scores, the roundest where there is no room for all."""
        if self.kind == "linear":
            values = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
            scores = np.asarray([score for score in values if self.low <= score <= self.high])
            return [
                (at, figure(score))
                for at, score in zip(self.positions(scores).tolist(), scores.tolist(), strict=True)
            ]
        candidates = list(self._round_scores())
        round_ones = [score for score in candidates if len(f"{abs(score):g}".strip("0.")) <= 1]
        taken = self._apart(round_ones)
        return sorted((taken if len(taken) >= _LEAST else self._apart(candidates)).items())

    def _apart(self, scores: Sequence[float]) -> dict[float, str]:
        taken: dict[float, str] = {}
        for score, at in zip(scores, self.positions(np.array(scores)).tolist(), strict=True):
            if all(abs(at - other) >= _APART for other in taken):
                taken[at] = figure(score)
        return taken

    def _round_scores(self) -> Iterator[float]:
        """Yield multiples of 5, 2 and 1 times the powers of ten, the roundest first."""
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
        """Return what a page needs to compute positions itself."""
        return asdict(self)


@dataclass(frozen=True)
class Outline:
    """One group of a histogram.

    Attributes
    ----------
    name : str
    n : int
        How many scores.
    path : str
        Its outline in a box of 1000 x 100, as SVG writes it.
    """

    name: str
    n: int
    path: str


def histogram(axis: Axis, groups: Mapping[str, Floats]) -> tuple[list[Outline], float]:
    """Return the outline of each group, and the share of a group that the box is high.

    Each bar is a share of its own group, so that few anomalies are seen beside many normal
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
    wide = 1000 / len(heights)
    steps = [f"V{100 - 100 * height:.2f}H{(i + 1) * wide:.1f}" for i, height in enumerate(heights)]
    return f"M0,100{''.join(steps)}V100"
