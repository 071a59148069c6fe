"""Counts of flagged samples by threshold, as a table of bounded size for a page."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Largest number of distinct scores that are all stored.
_MAX_EXACT = 30_000
#: With more scores: number of stored quantiles, and of stored highest scores.
_QUANTILES, _HIGHEST = 3000, 2000


@dataclass(frozen=True, eq=False)
class Steps:
    """Exact counts of samples above each of some thresholds.

    Attributes
    ----------
    thresholds : ndarray of shape (k,)
        Distinct and increasing. The first is the lowest score; below it all samples are flagged.
    flagged : ndarray of shape (k,)
        Number of samples with scores above each threshold.
    anomalous : ndarray of shape (k,) or None
        Number of anomalies among them; None without labels.
    held_out : ndarray of shape (k,)
        Number of held-out normal samples with scores above each threshold.
    exact : bool
        Whether every distinct score is among the thresholds. If so, the counts at a threshold
        hold up to the next one. Otherwise a page moves from one threshold to the next.
    widest : int
        Largest number of samples strictly between two neighbouring thresholds.
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
        """Count the samples above thresholds, which include `threshold`."""
        steps = np.unique(np.concatenate([scores, held_out, [threshold]]))
        exact = len(steps) <= _MAX_EXACT
        if not exact:
            groups = [scores, held_out] + ([] if labels is None else [scores[labels]])
            steps = np.unique(np.concatenate([*map(_selected, groups), [threshold]]))
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
        """Return the table for a page: numbers in base64, little-endian."""
        return {
            "thresholds": _packed(self.thresholds, "<f8"),
            "flagged": _packed(self.flagged, "<u4"),
            "anomalous": None if self.anomalous is None else _packed(self.anomalous, "<u4"),
            "heldOut": _packed(self.held_out, "<u4"),
            "exact": self.exact,
        }


def _selected(scores: Floats) -> Floats:
    """Return quantiles (each an actual score) and the highest scores."""
    ordered = np.sort(scores)
    ranks = np.linspace(0, len(ordered) - 1, min(_QUANTILES, len(ordered))).round().astype(int)
    return np.concatenate([ordered[ranks], ordered[-_HIGHEST:]])


def _above(scores: Floats, thresholds: Floats) -> NDArray[np.uint32]:
    n_at_or_below = np.searchsorted(np.sort(scores), thresholds, side="right")
    return (len(scores) - n_at_or_below).astype(np.uint32)


def _packed(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(values.astype(dtype).tobytes()).decode("ascii")
