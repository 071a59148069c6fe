"""What each threshold would flag: a bounded table of scores that a page can hold."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Distinct scores that are held each by itself.
_MOST_EXACT = 30_000
#: Of more scores: quantiles that are held, and as many of the highest scores.
_QUANTILES, _HIGHEST = 3000, 2000


@dataclass(frozen=True, eq=False)
class Steps:
    """How many samples lie above each of some thresholds, counted, never estimated.

    Attributes
    ----------
    thresholds : ndarray of shape (k,)
        Distinct and rising; the lowest is the lowest score, so that below it all are flagged.
    flagged : ndarray of shape (k,)
        How many samples score above each.
    anomalous : ndarray of shape (k,) or None
        How many of them are anomalies; None without labels.
    held_out : ndarray of shape (k,)
        How many of the held-out normal samples score above each.
    exact : bool
        Whether every distinct score is among the thresholds. The counts at one are then those of
        any threshold up to the next; else a page has to move from one to the next.
    widest : int
        How many samples at most lie between two neighbouring thresholds, and at neither.
    """

    thresholds: Floats
    flagged: NDArray[np.uint32]
    anomalous: NDArray[np.uint32] | None
    held_out: NDArray[np.uint32]
    exact: bool
    widest: int

    @classmethod
    def of(
        cls, scores: Floats, labels: Flags | None, held_out: Floats, threshold: float
    ) -> "Steps":
        """Count the samples above thresholds; those that are chosen include `threshold`."""
        steps = np.unique(np.concatenate([scores, held_out, [threshold]]))
        exact = len(steps) <= _MOST_EXACT
        if not exact:
            groups = [scores, held_out] + ([] if labels is None else [scores[labels]])
            steps = np.unique(np.concatenate([*map(_chosen, groups), [threshold]]))
        flagged = _above(scores, steps)
        at_least = _above(scores, np.nextafter(steps, -np.inf))
        return cls(
            thresholds=steps,
            flagged=flagged,
            anomalous=None if labels is None else _above(scores[labels], steps),
            held_out=_above(held_out, steps),
            exact=exact,
            widest=int((flagged[:-1].astype(np.int64) - at_least[1:]).max(initial=0)),
        )

    def at(self, threshold: float) -> tuple[int, int | None, int]:
        """Return the counts above one of the thresholds: samples, anomalies, held-out samples."""
        i = int(np.searchsorted(self.thresholds, threshold))
        anomalous = None if self.anomalous is None else int(self.anomalous[i])
        return int(self.flagged[i]), anomalous, int(self.held_out[i])

    def packed(self) -> dict[str, Any]:
        """Return the table as a page holds it: numbers in base64, little-endian."""
        return {
            "thresholds": _packed(self.thresholds, "<f8"),
            "flagged": _packed(self.flagged, "<u4"),
            "anomalous": None if self.anomalous is None else _packed(self.anomalous, "<u4"),
            "heldOut": _packed(self.held_out, "<u4"),
            "exact": self.exact,
        }


def _chosen(scores: Floats) -> Floats:
    """Return quantiles of scores that are scores themselves, and the highest ones."""
    ordered = np.sort(scores)
    ranks = np.linspace(0, len(ordered) - 1, min(_QUANTILES, len(ordered))).round().astype(int)
    return np.concatenate([ordered[ranks], ordered[-_HIGHEST:]])


def _above(scores: Floats, thresholds: Floats) -> NDArray[np.uint32]:
    places = np.searchsorted(np.sort(scores), thresholds, side="right")
    return (len(scores) - places).astype(np.uint32)


def _packed(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode("ascii")
