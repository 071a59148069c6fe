"""Score distributions, of normal and of anomalous samples."""

from typing import Unpack

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ._arrays import Floats, finite, threshold_of
from ._scale import ScoreScale
from ._style import Figure, Look, Style, number, percent, percents


def score_distributions(
    normal: ArrayLike,
    anomalous: ArrayLike | None = None,
    threshold: float | None = None,
    *,
    names: tuple[str, str] = ("normal", "anomalous"),
    **look: Unpack[Look],
) -> Figure:
    """Draw how the anomaly scores are distributed, and where the threshold cuts.

    Each bar is a share of its own class, so that a few anomalies among many normal samples are
    seen. Where a few scores are far from the bulk of the normal ones the axis is logarithmic: it
    is linear if no score is further from the median than 20 times the distance of the 5 % and the
    95 % quantile; else logarithmic if all scores are positive, the largest exceeds 20 times the
    median and that distance is at least a fifth of the median; else arsinh((score - median) /
    distance). Scores beyond a million of these distances are in the last bar, and are counted.

    Parameters
    ----------
    normal : array-like of shape (n,)
        Anomaly scores of normal samples, or of all where the truth is not known.
    anomalous : array-like of shape (m,), optional
        Anomaly scores of anomalous samples.
    threshold : float, optional
        What is above it is flagged.
    names : (str, str), default=("normal", "anomalous")
        What the two are called.
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
            raise ValueError(f"names are twice {names[0]!r}: they must tell the groups apart")
        groups[names[1]] = finite(anomalous, f"{names[1]} scores")
    threshold, style = threshold_of(threshold), Style.of(look)
    every = np.concatenate(list(groups.values()))
    shown = threshold is not None and np.isfinite(threshold)
    scale = ScoreScale.of(groups[names[0]], np.append(every, threshold) if shown else every)  # type: ignore[arg-type]
    figure = style.figure(58)
    ax = figure.subplots()
    entries = _bars(ax, groups, scale, style)
    if shown:
        assert threshold is not None
        entries.append(_threshold(ax, threshold, groups, style))
    ax.set_xlabel(f"anomaly score{scale.said}")
    ax.set_ylabel("share of the class" if len(groups) > 1 else "share of the samples")
    ax.yaxis.set_major_formatter(percents())
    scale.apply(ax, "x")
    ax.set_ylim(bottom=0)
    style.dress(ax, grid="y")
    n_beyond = scale.clipped(every)[1]
    note = f"Scores beyond the axis, in its outermost bars: {n_beyond:,}." if n_beyond else ""
    style.below(figure, entries, note)
    return figure


def _bars(
    ax: Axes, groups: dict[str, Floats], scale: ScoreScale, style: Style
) -> list[tuple[Artist, str]]:
    """Draw a histogram for each group, with the same bins."""
    n_bins = int(np.clip(np.sqrt(max(map(len, groups.values()))), 10, 36))
    edges = scale.edges(n_bins)
    looks = [(style.theme.normal, None), (style.theme.odd, "/////")]
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
