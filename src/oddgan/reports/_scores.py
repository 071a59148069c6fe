"""Score distributions of normal and anomalous samples."""

from typing import Unpack

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ._arrays import Floats, finite, threshold_of
from ._scale import ScoreScale
from ._style import Figure, Look, Style, number, percent, percent_formatter


def score_distributions(
    normal: ArrayLike,
    anomalous: ArrayLike | None = None,
    threshold: float | None = None,
    *,
    names: tuple[str, str] = ("normal", "anomalous"),
    **look: Unpack[Look],
) -> Figure:
    """Draw the distributions of the anomaly scores, and the threshold.

    Each bar is a share of its class, so that a few anomalies stay visible among many normal
    samples. The axis compresses long tails. The width of the bulk is the distance between the 5 %
    and the 95 % quantile of the normal scores. The axis is linear if no score is further from
    their median than 20 widths. Otherwise it is logarithmic if all scores are positive, the
    largest exceeds 20 times the median, and the width is at least a fifth of the median.
    Otherwise it is arsinh((score - median) / width). Scores more than a million widths away are
    counted in the outermost bars.

    Parameters
    ----------
    normal : array-like of shape (n,)
        Anomaly scores of normal samples, or of all samples if there are no labels.
    anomalous : array-like of shape (m,), optional
        Anomaly scores of anomalous samples.
    threshold : float, optional
        Samples with scores above it are flagged.
    names : (str, str), default=("normal", "anomalous")
        Names of the two groups.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There are no scores, or some are NaN or infinite.
    """
    groups = {names[0]: finite(normal, f"{names[0]} scores")}
    if anomalous is not None:
        if names[1] == names[0]:
            raise ValueError(f"names are both {names[0]!r}: the two groups need different names")
        groups[names[1]] = finite(anomalous, f"{names[1]} scores")
    threshold, style = threshold_of(threshold), Style.of(look)
    all_scores = np.concatenate(list(groups.values()))
    line_at = threshold if threshold is not None and np.isfinite(threshold) else None
    axis_scores = all_scores if line_at is None else np.append(all_scores, line_at)
    scale = ScoreScale.of(groups[names[0]], axis_scores)
    figure = style.figure(58)
    ax = figure.subplots()
    entries = _bars(ax, groups, scale, style)
    if line_at is not None:
        entries.append(_threshold(ax, line_at, groups, style))
    ax.set_xlabel(f"anomaly score{scale.label_suffix}")
    ax.set_ylabel("share of the class" if len(groups) > 1 else "share of the samples")
    ax.yaxis.set_major_formatter(percent_formatter())
    scale.apply(ax, "x")
    ax.set_ylim(bottom=0)
    style.dress(ax, grid="y")
    n_outside = scale.clipped(all_scores)[1]
    note = (
        f"Scores outside the axis, counted in its outermost bars: {n_outside:,}."
        if n_outside
        else ""
    )
    style.below(figure, entries, note)
    return figure


def _bars(
    ax: Axes, groups: dict[str, Floats], scale: ScoreScale, style: Style
) -> list[tuple[Artist, str]]:
    """Draw a histogram of each group, all with the same bins."""
    n_bins = int(np.clip(np.sqrt(max(map(len, groups.values()))), 10, 36))
    edges = scale.edges(n_bins)
    looks = [(style.theme.normal, None), (style.theme.anomalous, "/////")]
    entries: list[tuple[Artist, str]] = []
    for (name, scores), (colour, hatch) in zip(groups.items(), looks, strict=False):
        shares = np.histogram(scale.clipped(scores)[0], edges)[0] / len(scores)
        ax.stairs(shares, edges, fill=True, color=colour, alpha=0.3, linewidth=0)
        outline = ax.stairs(
            shares, edges, fill=True, facecolor="none", edgecolor=colour, hatch=hatch, linewidth=0.9
        )
        entries.append((outline, f"{name}, {len(scores):,}"))
    return entries


def _threshold(
    ax: Axes, threshold: float, groups: dict[str, Floats], style: Style
) -> tuple[Artist, str]:
    line = ax.axvline(threshold, color=style.theme.text, linewidth=1.1, linestyle=(0, (4, 2)))
    above = " and ".join(
        f"{percent(float(np.mean(scores > threshold)))} of {name}"
        for name, scores in groups.items()
    )
    return line, f"threshold {number(threshold)}: above it {above}"
