"""The threshold of least cost on labelled samples."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from .conformal import check_share


@dataclass(frozen=True)
class CostThreshold:
    """The threshold of least cost on labelled scores.

    Attributes
    ----------
    threshold : float
        A sample is flagged if its score is greater; -inf if flagging every sample costs least, inf
        if flagging none does.
    expected_cost : float
        Cost per sample at the prevalence, in the unit of the costs.
    flagged_share : float
        Share of flagged samples at the prevalence.
    """

    threshold: float
    expected_cost: float
    flagged_share: float


def cost_threshold(
    y: ArrayLike,
    scores: ArrayLike,
    *,
    cost_missed: float,
    cost_false_alarm: float,
    prevalence: float | None = None,
) -> CostThreshold:
    """Find the threshold with the least expected cost on labelled samples.

    The expected cost per sample is ``prevalence * cost_missed * (1 - TPR) +
    (1 - prevalence) * cost_false_alarm * FPR``. Thresholds lie midway between two neighbouring
    distinct scores; among equally cheap ones the highest is chosen, which flags the fewest samples.

    Do not use training samples. The cost is the minimum over thresholds on these samples, and
    therefore a little lower than the cost of new samples.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 for anomalies, 0 for normal samples; both must occur.
    scores : array-like of shape (n,)
        Anomaly scores, higher is more anomalous.
    cost_missed, cost_false_alarm : float
        Cost of an anomaly that is not flagged, and of a flagged normal sample; positive.
    prevalence : float, optional
        Share of anomalies, in (0, 1), where the threshold will be used; by default that of `y`.

    Returns
    -------
    CostThreshold

    Raises
    ------
    ValueError
        An argument is not as described.

    Examples
    --------
    >>> y, scores = [0, 0, 0, 1, 1], [1.0, 2.0, 4.0, 3.0, 5.0]
    >>> for cost_missed in (1, 10):
    ...     best = cost_threshold(y, scores, cost_missed=cost_missed, cost_false_alarm=2)
    ...     print(best.threshold, round(best.expected_cost, 3), round(best.flagged_share, 3))
    4.5 0.2 0.2
    2.5 0.4 0.6
    """
    for name, cost in (("cost_missed", cost_missed), ("cost_false_alarm", cost_false_alarm)):
        if not (cost > 0 and isfinite(cost)):
            raise ValueError(f"{name} must be positive and finite, got {cost}")
    labels = checked_labels(y)
    rate = float(labels.mean()) if prevalence is None else prevalence
    check_share("prevalence", rate)
    values = np.asarray(scores, dtype=np.float64)
    # At cut i all scores >= distinct[i] are flagged; distinct[0] is inf. Collinear points stay:
    # a threshold must lie between neighbouring scores.
    fpr, tpr, distinct = roc_curve(labels, values, drop_intermediate=False)
    cost = rate * cost_missed * (1 - tpr) + (1 - rate) * cost_false_alarm * fpr
    best = int(np.argmax(cost <= cost.min() * (1 + 1e-12)))  # the first is the highest threshold
    return CostThreshold(
        threshold=_below(distinct, best),
        expected_cost=float(cost[best]),
        flagged_share=float(rate * tpr[best] + (1 - rate) * fpr[best]),
    )


def checked_labels(y: ArrayLike) -> NDArray[np.bool_]:
    """Return labels as booleans, True for anomalies; both classes must occur."""
    labels = np.asarray(y)
    if labels.ndim != 1 or set(np.unique(labels).tolist()) != {0, 1}:
        raise ValueError("y must contain 0 (normal) and 1 (anomaly), and both of them")
    return labels.astype(bool)


def _below(distinct: NDArray[np.float64], i: int) -> float:
    """Return a threshold that only the first i + 1 of the descending `distinct` scores exceed."""
    if i == 0:
        return float("inf")
    if i == len(distinct) - 1:
        return float("-inf")
    upper, lower = float(distinct[i]), float(distinct[i + 1])
    middle = lower / 2 + upper / 2
    return middle if lower < middle < upper else lower  # there may be no number between them
