"""ROC and precision-recall curves of one or several detectors."""

from collections.abc import Iterator, Mapping
from typing import Unpack

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from ._arrays import Flags, Floats, evenly_spaced, labelled
from ._style import LINES, MARKS, Figure, Look, Style, ratio, shortened

#: Largest number of points drawn of a curve.
_MAX_POINTS = 2000
_MARK_LABEL = "at the detector's threshold"


def roc_curves(
    labels: ArrayLike,
    scores_by_name: Mapping[str, ArrayLike] | ArrayLike,
    *,
    thresholds: Mapping[str, float] | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw the ROC curve of each detector, and the chance line.

    Parameters
    ----------
    labels : array-like of shape (n,)
        0 or False for normal samples, 1 or True for anomalies.
    scores_by_name : mapping of str to array-like of shape (n,)
        Anomaly scores by the name of the detector, or the scores of a single detector. Higher is
        more anomalous.
    thresholds : mapping of str to float, optional
        Thresholds by the name of the detector; they are marked on the curves.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure
        A curve is drawn with at most 2000 points, evenly spaced along its points. The AUROC is
        scikit-learn's `roc_auc_score` on all samples.

    Raises
    ------
    ValueError
        The labels have only one class, or scores are NaN or infinite.
    """
    flags, scores = labelled(labels, scores_by_name)
    style = Style.of(look)
    figure, ax = _square(style)
    entries: list[tuple[Artist, str]] = [
        (draw_roc(ax, flags, values, style, i), _entry(name, "AUROC", roc_auc_score(flags, values)))
        for i, (name, values) in enumerate(scores.items())
    ]
    for i, above in _flagged(scores, thresholds):
        mark = _mark(ax, above[~flags].mean(), above[flags].mean(), style, i)
        entries += [(mark, _MARK_LABEL)] * (entries[-1][1] != _MARK_LABEL)
    (chance,) = ax.plot([0, 1], [0, 1], color=style.theme.muted, linewidth=0.8, linestyle=":")
    ax.set(xlabel="false positive rate", ylabel="true positive rate")
    style.dress(ax, grid="both")
    style.below(figure, [*entries, (chance, "chance")])
    return figure


def precision_recall_curves(
    labels: ArrayLike,
    scores_by_name: Mapping[str, ArrayLike] | ArrayLike,
    *,
    thresholds: Mapping[str, float] | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw the precision-recall curve of each detector, and the prevalence as the chance line.

    Parameters
    ----------
    labels, scores_by_name, thresholds, **look
        As in :func:`roc_curves`.

    Returns
    -------
    Figure
        A curve is drawn with at most 2000 points, in the steps that the average precision sums up.
        The average precision is scikit-learn's `average_precision_score` on all samples.

    Raises
    ------
    ValueError
        As in :func:`roc_curves`.
    """
    flags, scores = labelled(labels, scores_by_name)
    style = Style.of(look)
    figure, ax = _square(style)
    entries: list[tuple[Artist, str]] = []
    for i, (name, values) in enumerate(scores.items()):
        average = average_precision_score(flags, values)
        line = draw_precision_recall(ax, flags, values, style, i)
        entries.append((line, _entry(name, "average precision", average)))
    for i, above in _flagged(scores, thresholds):
        if above.any():
            mark = _mark(ax, above[flags].mean(), flags[above].mean(), style, i)
            entries += [(mark, _MARK_LABEL)] * (entries[-1][1] != _MARK_LABEL)
    chance = draw_prevalence(ax, flags, style)
    ax.set(xlabel="recall", ylabel="precision")
    style.dress(ax, grid="both")
    style.below(figure, [*entries, (chance, f"chance: the prevalence, {ratio(flags.mean())}")])
    return figure


def draw_roc(
    ax: Axes, flags: Flags, scores: Floats, style: Style, index: int, **options: object
) -> Artist:
    """Draw one ROC curve, in the colour and line style of this index."""
    false_rates, true_rates, _ = roc_curve(flags, scores)
    return _line(ax, false_rates, true_rates, style, index, options)


def draw_precision_recall(
    ax: Axes, flags: Flags, scores: Floats, style: Style, index: int, **options: object
) -> Artist:
    """Draw one precision-recall curve, in the colour and line style of this index."""
    precision, recall, _ = precision_recall_curve(flags, scores)
    # From recall 0. A step has the precision of its end point, as in the average precision.
    positive = recall[::-1] > 0
    recall, precision = recall[::-1][positive], precision[::-1][positive]
    x, y = np.append(0.0, recall), np.append(precision[0], precision)
    return _line(ax, x, y, style, index, {"drawstyle": "steps-pre", **options})


def draw_prevalence(ax: Axes, flags: Flags, style: Style) -> Artist:
    """Draw the precision of random flags: the prevalence."""
    return ax.axhline(flags.mean(), color=style.theme.muted, linewidth=0.8, linestyle=":")


def _line(
    ax: Axes, x: Floats, y: Floats, style: Style, index: int, options: Mapping[str, object]
) -> Artist:
    points = evenly_spaced(len(x), _MAX_POINTS)
    line_style = {
        "color": style.theme.colours[index % len(style.theme.colours)],
        "linestyle": LINES[index % len(LINES)],
        "linewidth": 1.3,
        **options,
    }
    (line,) = ax.plot(x[points], y[points], solid_capstyle="butt", **line_style)
    return line


def _flagged(
    scores: Mapping[str, Floats], thresholds: Mapping[str, float] | None
) -> Iterator[tuple[int, Flags]]:
    """Yield the index and the flags of each detector with a threshold."""
    thresholds = thresholds or {}
    if unknown := [name for name in thresholds if name not in scores]:
        raise ValueError(f"thresholds: there are no scores of {unknown[0]!r}")
    for i, (name, values) in enumerate(scores.items()):
        if name in thresholds:
            yield i, values > thresholds[name]


def _mark(ax: Axes, x: float, y: float, style: Style, index: int) -> Artist:
    """Mark the position of the threshold."""
    colour, marker = (
        style.theme.colours[index % len(style.theme.colours)],
        MARKS[index % len(MARKS)],
    )
    (mark,) = ax.plot([x], [y], marker, color=colour, markersize=5, clip_on=False, zorder=5)
    return mark


def _entry(name: str, metric: str, value: float) -> str:
    return f"{shortened(name, 34)}, {metric} {ratio(value)}" if name else f"{metric} {ratio(value)}"


def _square(style: Style) -> tuple[Figure, Axes]:
    """Return square axes for two shares."""
    figure = style.figure(min(style.width, 110) * 0.9)
    ax = figure.subplots()
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ticks = np.linspace(0, 1, 6)
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    return figure, ax
