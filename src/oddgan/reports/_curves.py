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

from ._arrays import Flags, Floats, labelled, thinned
from ._style import LINES, MARKS, Figure, Look, Style, ratio, shortened

#: Points that are drawn of a curve, at most.
_POINTS = 2000
_MARKED = "at the detector's threshold"


def roc_curves(
    labels: ArrayLike,
    scores_by_name: Mapping[str, ArrayLike] | ArrayLike,
    *,
    thresholds: Mapping[str, float] | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw the ROC curve of each detector, with the line of chance.

    Parameters
    ----------
    labels : array-like of shape (n,)
        0 or False for normal samples, 1 or True for anomalies.
    scores_by_name : mapping of str to array-like of shape (n,)
        Anomaly scores, higher is odder, by the name of the detector; or those of a single one.
    thresholds : mapping of str to float, optional
        Thresholds of these detectors; where they are on the curves is marked.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure
        Of a curve with more than 2000 points so many are drawn, evenly spread over its points. The
        AUROC is that of all samples, by scikit-learn's `roc_auc_score`.

    Raises
    ------
    ValueError
        There are no anomalies or nothing else, or scores are NaN or infinite.
    """
    flags, scores = labelled(labels, scores_by_name)
    style = Style.of(look)
    figure, ax = _square(style)
    entries: list[tuple[Artist, str]] = [
        (draw_roc(ax, flags, values, style, i), _named(name, "AUROC", roc_auc_score(flags, values)))
        for i, (name, values) in enumerate(scores.items())
    ]
    for i, above in _flagged(scores, thresholds):
        mark = _mark(ax, above[~flags].mean(), above[flags].mean(), style, i)
        entries += [(mark, _MARKED)] * (entries[-1][1] != _MARKED)
    (chance,) = ax.plot([0, 1], [0, 1], color=style.theme.quiet, linewidth=0.8, linestyle=":")
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
    """Draw the precision-recall curve of each detector; chance is as precise as the prevalence.

    Parameters
    ----------
    labels, scores_by_name, thresholds, **look
        As in :func:`roc_curves`.

    Returns
    -------
    Figure
        Of a curve with more than 2000 points so many are drawn. The average precision is that of
        all samples, by scikit-learn's `average_precision_score`; the curve is drawn in the steps
        that it sums up.

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
        entries.append((line, _named(name, "average precision", average)))
    for i, above in _flagged(scores, thresholds):
        if above.any():
            mark = _mark(ax, above[flags].mean(), flags[above].mean(), style, i)
            entries += [(mark, _MARKED)] * (entries[-1][1] != _MARKED)
    chance = draw_prevalence(ax, flags, style)
    ax.set(xlabel="recall", ylabel="precision")
    style.dress(ax, grid="both")
    style.below(figure, [*entries, (chance, f"chance: the prevalence, {ratio(flags.mean())}")])
    return figure


def draw_roc(
    ax: Axes, flags: Flags, scores: Floats, style: Style, place: int, **how: object
) -> Artist:
    """Draw one curve, in the colour and the line of its place."""
    false, true, _ = roc_curve(flags, scores)
    return _line(ax, false, true, style, place, how)


def draw_precision_recall(
    ax: Axes, flags: Flags, scores: Floats, style: Style, place: int, **how: object
) -> Artist:
    """Draw one curve, in the colour and the line of its place."""
    precision, recall, _ = precision_recall_curve(flags, scores)
    # From recall 0 on; a step has the precision of the point that it leads to, as in the average.
    reached = recall[::-1] > 0
    recall, precision = recall[::-1][reached], precision[::-1][reached]
    x, y = np.append(0.0, recall), np.append(precision[0], precision)
    return _line(ax, x, y, style, place, {"drawstyle": "steps-pre", **how})


def draw_prevalence(ax: Axes, flags: Flags, style: Style) -> Artist:
    """Draw the precision of who flags at random."""
    return ax.axhline(flags.mean(), color=style.theme.quiet, linewidth=0.8, linestyle=":")


def _line(
    ax: Axes, x: Floats, y: Floats, style: Style, place: int, how: Mapping[str, object]
) -> Artist:
    shown = thinned(len(x), _POINTS)
    looks = {
        "color": style.theme.colours[place % len(style.theme.colours)],
        "linestyle": LINES[place % len(LINES)],
        "linewidth": 1.3,
        **how,
    }
    (line,) = ax.plot(x[shown], y[shown], solid_capstyle="butt", **looks)
    return line


def _flagged(
    scores: Mapping[str, Floats], thresholds: Mapping[str, float] | None
) -> Iterator[tuple[int, Flags]]:
    """Yield the place of each detector whose threshold is known, and what it flags."""
    known = thresholds or {}
    if unknown := [name for name in known if name not in scores]:
        raise ValueError(f"thresholds: there are no scores of {unknown[0]!r}")
    for i, (name, values) in enumerate(scores.items()):
        if name in known:
            yield i, values > known[name]


def _mark(ax: Axes, x: float, y: float, style: Style, place: int) -> Artist:
    """Mark where the threshold is."""
    colour, mark = style.theme.colours[place % len(style.theme.colours)], MARKS[place % len(MARKS)]
    (drawn,) = ax.plot([x], [y], mark, color=colour, markersize=5, clip_on=False, zorder=5)
    return drawn


def _named(name: str, metric: str, value: float) -> str:
    return f"{shortened(name, 34)}, {metric} {ratio(value)}" if name else f"{metric} {ratio(value)}"


def _square(style: Style) -> tuple[Figure, Axes]:
    """Return axes as high as wide, for shares of both kinds."""
    figure = style.figure(min(style.width, 110) * 0.9)
    ax = figure.subplots()
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ticks = np.linspace(0, 1, 6)
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    return figure, ax
