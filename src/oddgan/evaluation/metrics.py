"""Metrics of anomaly scores against labels."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    auc,
    average_precision_score,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

_Flags = npt.NDArray[np.bool_]

#: Each metric of a table in one sentence: those of `Metrics`, from ``fpr_at_1`` on those of
#: `oddgan.evaluation.promises.Promises`, from ``pixel_prevalence`` on those of
#: `oddgan.evaluation.maps.PixelMetrics`. Anomalies are the positive class.
METRICS: dict[str, str] = {
    "prevalence": (
        "Share of anomalies among the test samples: the precision of flagging everything."
    ),
    "auroc": (
        "Area under the ROC curve: the probability that an anomaly scores higher than a normal "
        "sample, ties counting one half."
    ),
    "average_precision": (
        "Sum over the distinct scores of the precision at each, times the gain in recall there: "
        "the step-wise area under the precision-recall curve."
    ),
    "auprc": (
        "Trapezoid area under the precision-recall curve, which starts at recall 0 and "
        "precision 1 and has one point per distinct score."
    ),
    "fpr_at_95_tpr": (
        "Smallest share of normal samples flagged by any threshold on these test scores that "
        "flags at least 95 % of the anomalies."
    ),
    "precision": (
        "Share of anomalies among the samples that score above the model's own threshold; "
        "0 if none does."
    ),
    "recall": "Share of the anomalies that score above the model's own threshold.",
    "f1": "Harmonic mean of precision and recall at the model's own threshold.",
    "fpr": "Share of the normal samples that score above the model's own threshold.",
    "flagged": (
        "Share of the test samples at or above the 1 - rate quantile (linear interpolation) of "
        "the test scores, where rate is the known share of anomalies."
    ),
    "precision_at_rate": (
        "Share of anomalies among the samples at or above the 1 - rate quantile of the test "
        "scores, where rate is the known share of anomalies."
    ),
    "recall_at_rate": (
        "Share of the anomalies at or above the 1 - rate quantile of the test scores, where rate "
        "is the known share of anomalies."
    ),
    "f1_at_rate": (
        "Harmonic mean of precision and recall when flagging the samples at or above the "
        "1 - rate quantile of the test scores, where rate is the known share of anomalies."
    ),
    "oracle_f1": (
        "Largest F1 over all thresholds, chosen on the test labels themselves: an upper bound, "
        "not a result."
    ),
    "fpr_at_1": (
        "Share of the normal test samples above the threshold that promises 1 % of false alarms, "
        "by held-out normal samples."
    ),
    "fpr_at_5": "The same for 5 %.",
    "fpr_at_10": "The same for 10 %.",
    "fdr_at_10": (
        "Share of normal samples among those flagged by Benjamini-Hochberg at a false discovery "
        "rate of 10 %, on all test samples together; 0 if none is flagged."
    ),
    "recall_at_fdr_10": "Share of the anomalies flagged so.",
    "pixel_prevalence": "Share of anomalous pixels among all pixels of the test images.",
    "pixel_auroc": "Area under the ROC curve over all pixels of all test images taken together.",
    "pixel_average_precision": (
        "Average precision over all pixels of all test images taken together."
    ),
    "aupro": (
        "Area under the curve of the mean overlap with each 8-connected anomalous region against "
        "the share of normal pixels flagged, up to a share of 0.3 unless another limit is "
        "stated, divided by that limit."
    ),
}

#: Metrics where a smaller value is better; for all others a greater one is.
LOWER_IS_BETTER = frozenset(
    {"fpr", "fpr_at_95_tpr", "fpr_at_1", "fpr_at_5", "fpr_at_10", "fdr_at_10"}
)


@dataclass(frozen=True)
class Metrics:
    """How well scores tell anomalies (the positive class) from normal samples.

    Parameters
    ----------
    n, n_anomalies : int
    prevalence : float
        Share of anomalies: the AUPRC of a score without information.
    auroc : float
        Area under the ROC curve; 0.5 without information.
    average_precision : float
        Step-wise area under the precision-recall curve.
    auprc : float
        Trapezoid area under the same curve: the metric of EGBAD's code. It interpolates between
        the points, which can make it larger or smaller where many scores are tied; the literature
        mixes the two.
    fpr_at_95_tpr : float
        The smallest share of normal samples flagged by any threshold that flags at least
        95 % of the anomalies; tied scores are flagged together, and nothing is interpolated. 0 is
        best, a constant score has 1. The threshold is set with these labels: the metric compares
        scores and is not an error rate to expect in use.
    threshold : float or None
        The model's own; a sample is flagged if its score is greater.
    precision, recall, f1, fpr : float or None
        At `threshold`; `fpr` is the share of normal samples flagged. None without a threshold.
    flag_rate : float
        The share of samples to flag, which a user seldom knows.
    flagged : float
        The share flagged: more than `flag_rate` where scores are tied at the boundary.
    precision_at_rate, recall_at_rate, f1_at_rate : float
        When the `flag_rate` share is flagged.
    oracle_f1 : float
        The best F1 over all thresholds, chosen on these labels: an upper bound, never a result.
    """

    n: int
    n_anomalies: int
    prevalence: float
    auroc: float
    average_precision: float
    auprc: float
    fpr_at_95_tpr: float
    threshold: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    fpr: float | None
    flag_rate: float
    flagged: float
    precision_at_rate: float
    recall_at_rate: float
    f1_at_rate: float
    oracle_f1: float

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics as plain numbers, ready for JSON."""
        return asdict(self)


def evaluate_scores(
    y: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float | None = None,
    flag_rate: float | None = None,
) -> Metrics:
    """Measure anomaly scores against labels.

    Parameters
    ----------
    y : array of shape (n,)
        1 (or True) for an anomaly, 0 for a normal sample; both must occur.
    scores : array of shape (n,)
        Higher is odder; finite.
    threshold : float, optional
        The model's own threshold; a score greater than it is flagged.
    flag_rate : float in (0, 1), optional
        The known rate; by default the prevalence. Scores at or above the ``1 - flag_rate``
        quantile (linear interpolation) of these scores are flagged, as in DAGMM, EGBAD and ALAD.
        Tied scores are flagged together, so that ties can flag more, see `Metrics.flagged`.

    Returns
    -------
    Metrics

    Raises
    ------
    ValueError
        If the lengths differ, y holds other values than 0 and 1 or only one class, a score is
        not finite, or `flag_rate` is out of range.
    """
    y, scores = check_scores(y, scores)
    rate = known_rate(y, flag_rate)
    by_rate = scores >= np.quantile(scores, 1 - rate)
    at_rate = _precision_recall_f1(y, by_rate)
    at_threshold: tuple[float | None, ...] = (None, None, None, None)
    if threshold is not None:
        above = scores > threshold
        at_threshold = (*_precision_recall_f1(y, above), float(above[~y].mean()))
    precisions, recalls, _ = precision_recall_curve(y, scores)
    return Metrics(
        n=len(y),
        n_anomalies=int(y.sum()),
        prevalence=float(y.mean()),
        auroc=float(roc_auc_score(y, scores)),
        average_precision=float(average_precision_score(y, scores)),
        auprc=float(auc(recalls, precisions)),
        fpr_at_95_tpr=_fpr_at_tpr(y, scores, 0.95),
        threshold=None if threshold is None else float(threshold),
        precision=at_threshold[0],
        recall=at_threshold[1],
        f1=at_threshold[2],
        fpr=at_threshold[3],
        flag_rate=rate,
        flagged=float(by_rate.mean()),
        precision_at_rate=at_rate[0],
        recall_at_rate=at_rate[1],
        f1_at_rate=at_rate[2],
        oracle_f1=_best_f1(precisions, recalls),
    )


def check_scores(y: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[_Flags, npt.NDArray[np.float64]]:
    """Return labels as bool and scores as float64; raise as `evaluate_scores` does."""
    labels, values = np.asarray(y), np.asarray(scores, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != values.shape:
        raise ValueError(
            f"y and scores must be one-dimensional and equally long; their shapes are "
            f"{labels.shape} and {values.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("y must hold only 0 (normal) and 1 (anomaly)")
    flags = labels.astype(bool)
    if flags.all() or not flags.any():
        raise ValueError(
            f"y holds {int(flags.sum())} anomalies in {len(flags)} samples; both classes are needed"
        )
    n_missing = int(np.sum(~np.isfinite(values)))
    if n_missing:
        raise ValueError(f"{n_missing} of {len(values)} scores are NaN or infinite")
    return flags, values


def known_rate(y: _Flags, flag_rate: float | None) -> float:
    """Return the share of samples to flag: `flag_rate`, or the prevalence if None."""
    rate = float(y.mean() if flag_rate is None else flag_rate)
    if not 0 < rate < 1:
        raise ValueError(f"flag_rate is {rate}; it must be between 0 and 1")
    return rate


def _precision_recall_f1(y: _Flags, flagged: _Flags) -> tuple[float, float, float]:
    precision, recall, f1, _ = precision_recall_fscore_support(
        y, flagged, average="binary", zero_division=0
    )
    return float(precision), float(recall), float(f1)


def _fpr_at_tpr(y: _Flags, scores: npt.NDArray[np.float64], least: float) -> float:
    # By default scikit-learn drops thresholds between collinear points.
    fpr, tpr, _ = roc_curve(y, scores, drop_intermediate=False)
    return float(fpr[np.argmax(tpr >= least)])


def _best_f1(precisions: npt.NDArray[np.float64], recalls: npt.NDArray[np.float64]) -> float:
    # At recall 0 with precision 0 the ratio is undefined; its F1 is 0.
    total = precisions + recalls
    return float(np.max(2 * precisions * recalls / np.where(total > 0, total, 1)))
