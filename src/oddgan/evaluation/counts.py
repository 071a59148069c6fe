"""Metrics computed from how often each sample was drawn: for the bootstrap."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oddgan.evaluation.metrics import known_rate

_Ints = npt.NDArray[np.intp]
_Floats = npt.NDArray[np.float64]
# Which of the anomalies and which of the normal samples, as positions within their class.
Draw = tuple[_Ints, _Ints]


@dataclass(frozen=True)
class Counts:
    """How many of a resample have each distinct score, from the highest score to the lowest."""

    anomalous: _Ints
    normal: _Ints
    tps: _Ints  # anomalies with this score or a higher one
    fps: _Ints  # normal samples likewise
    at_threshold: tuple[int, int]  # true and false positives
    at_rate: tuple[int, int]


class Ranking:
    """Scores sorted once, so that a resample only needs counting.

    Parameters
    ----------
    scores : array of shape (n,)
    y : bool array of shape (n,)
        True for an anomaly.
    threshold, flag_rate : float or None
        As in `evaluate_scores`.
    """

    def __init__(
        self,
        scores: _Floats,
        y: npt.NDArray[np.bool_],
        threshold: float | None,
        flag_rate: float | None,
    ) -> None:
        # Negated, the highest score comes first.
        self.negated, ranks = np.unique(-scores, return_inverse=True)
        self.anomalous, self.normal = ranks[y], ranks[~y]
        self.threshold = threshold
        self.rate = known_rate(y, flag_rate)

    def count(self, draw: Draw) -> Counts:
        """Count the scores of a resample."""
        n_distinct = len(self.negated)
        anomalous = np.bincount(self.anomalous[draw[0]], minlength=n_distinct)
        normal = np.bincount(self.normal[draw[1]], minlength=n_distinct)
        tps, fps = np.cumsum(anomalous), np.cumsum(normal)

        def positives(n_scores: int) -> tuple[int, int]:
            return (int(tps[n_scores - 1]), int(fps[n_scores - 1])) if n_scores else (0, 0)

        n_above = 0
        if self.threshold is not None:
            n_above = int(np.searchsorted(self.negated, -self.threshold, side="left"))
        boundary = self._quantile(tps + fps)
        n_flagged = int(np.searchsorted(self.negated, -boundary, side="right"))
        return Counts(anomalous, normal, tps, fps, positives(n_above), positives(n_flagged))

    def _quantile(self, totals: _Ints) -> float:
        """Give ``np.quantile(resample, 1 - rate)``, to the bit, from counts."""
        last = int(totals[-1]) - 1
        position = last * (1 - self.rate)
        below = int(position)
        # The k-th lowest is the (last - k)-th highest.
        ranks = [last - below, last - min(below + 1, last)]
        pair = -self.negated[np.searchsorted(totals, ranks, side="right")]
        return float(np.quantile(pair, position - below))


def _auroc(c: Counts) -> float:
    # Every anomaly above a normal sample counts, and half of those that tie with it.
    return float(c.normal @ (c.tps - c.anomalous / 2) / (c.tps[-1] * c.fps[-1]))


def _precisions(c: Counts) -> _Floats:
    # Nothing is flagged above the highest score drawn: the curve starts at precision 1.
    flagged = c.tps + c.fps
    precisions: _Floats = np.divide(c.tps, flagged, out=np.ones(len(flagged)), where=flagged > 0)
    return precisions


def _average_precision(c: Counts) -> float:
    return float(c.anomalous @ _precisions(c) / c.tps[-1])


def _auprc(c: Counts) -> float:
    precisions = _precisions(c)
    previous = np.concatenate([[1.0], precisions[:-1]])
    return float(c.anomalous @ (precisions + previous) / (2 * c.tps[-1]))


def _fpr_at_95_tpr(c: Counts) -> float:
    return float(c.fps[np.argmax(c.tps / c.tps[-1] >= 0.95)] / c.fps[-1])


def _oracle_f1(c: Counts) -> float:
    return float(np.max(2 * c.tps / (c.tps + c.fps + c.tps[-1])))


def _precision(positives: tuple[int, int]) -> float:
    return positives[0] / max(sum(positives), 1)


def _f1(positives: tuple[int, int], n_anomalies: int) -> float:
    return 2 * positives[0] / (sum(positives) + n_anomalies)


#: Metrics that can be computed from counts, by name.
COUNT_METRICS: dict[str, Callable[[Counts], float]] = {
    "auroc": _auroc,
    "average_precision": _average_precision,
    "auprc": _auprc,
    "fpr_at_95_tpr": _fpr_at_95_tpr,
    "oracle_f1": _oracle_f1,
    "precision": lambda c: _precision(c.at_threshold),
    "recall": lambda c: c.at_threshold[0] / c.tps[-1],
    "f1": lambda c: _f1(c.at_threshold, c.tps[-1]),
    "fpr": lambda c: c.at_threshold[1] / c.fps[-1],
    "flagged": lambda c: sum(c.at_rate) / (c.tps[-1] + c.fps[-1]),
    "precision_at_rate": lambda c: _precision(c.at_rate),
    "recall_at_rate": lambda c: c.at_rate[0] / c.tps[-1],
    "f1_at_rate": lambda c: _f1(c.at_rate, c.tps[-1]),
}
#: Those that need the model's own threshold.
AT_THRESHOLD = {"precision", "recall", "f1", "fpr"}
