"""Scores over time, and the trend of the share that is flagged."""

from typing import Any, Unpack

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ._arrays import Flags, Floats, finite, threshold_of
from ._scale import ScoreScale
from ._style import Figure, Look, Style, number, percent, percent_formatter

#: Largest number of points drawn of the flagged samples, and of the others.
_MAX_POINTS = 3000


def scores_over_time(
    times: Any,
    scores: ArrayLike,
    threshold: float | None = None,
    *,
    window: int | None = None,
    target_fpr: float | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw scores over time with flagged samples marked, and below them the share flagged.

    Parameters
    ----------
    times : array-like of shape (n,), or None
        Dates (NumPy, pandas, Python, or text that pandas can parse) or finite numbers, in any
        order. None is the order of the samples.
    scores : array-like of shape (n,)
        Anomaly scores, higher is more anomalous.
    threshold : float, optional
        Samples with scores above it are flagged. Without it no share is drawn.
    window : int, optional
        Number of successive samples in a share; by default 5 % of all, at least 20. The share is
        drawn at the time of the last of them.
    target_fpr : float, optional
        The share of normal samples that the threshold promises to flag, drawn as a line.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure
        The axis of the scores is as in :func:`score_distributions`. At most 3000 flagged points
        and 3000 others are drawn: the highest scores and a random sample of the rest. The figure
        says so. The share uses all samples.

    Raises
    ------
    ValueError
        A time is missing or invalid, scores are NaN or infinite, or the lengths differ.
    """
    values = finite(scores, "scores")
    moments, are_dates = _times(times, len(values))
    threshold, style = threshold_of(threshold), Style.of(look, 150)
    if window is not None and not 1 <= window <= len(values):
        raise ValueError(
            f"window must be from 1 to {len(values)}, the number of samples, not {window!r}"
        )
    window = window or min(len(values), max(20, len(values) // 20))
    order = np.argsort(moments, kind="stable")
    moments, values = moments[order], values[order]
    flagged = values > (np.inf if threshold is None else threshold)
    has_share = threshold is not None
    figure = style.figure(84 if has_share else 60)
    axes = figure.subplots(
        1 + has_share, 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + has_share]
    )[:, 0]
    entries, n_drawn = _scores(axes[0], moments, values, flagged, threshold, style)
    if has_share:
        entries += _share(axes[1], moments, flagged, window, target_fpr, style)
    _date_axis(axes[-1], are_dates, times is None)
    for ax in axes:
        style.dress(ax, grid="y")
    note = f"{n_drawn:,} of {len(values):,} points are drawn, including the highest."
    style.below(figure, entries, note if n_drawn < len(values) else "")
    return figure


def _times(times: Any, n: int) -> tuple[Floats, bool]:
    """Return times as numbers, and whether they are Matplotlib date numbers."""
    if times is None:
        return np.arange(n, dtype=np.float64), False
    values = np.asarray(times) if not isinstance(times, pd.Series | pd.Index) else times
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return finite(np.asarray(values), "times", n), False
    try:
        # In UTC, so that an hour repeated at the end of summer time counts twice.
        dates = _dates(pd.Series(values).reset_index(drop=True))
    except (TypeError, ValueError) as error:
        raise ValueError("times must be dates or numbers, one for each sample") from error
    if len(dates) != n:
        raise ValueError(f"times: {len(dates)} values for {n} samples")
    if n_missing := int(np.sum(dates.isna())):
        raise ValueError(f"times: {n_missing} of {n} are missing")
    days: Floats = mdates.date2num(dates.tz_localize(None).to_numpy())  # type: ignore[no-untyped-call]
    return days, True


def _dates(texts: "pd.Series[Any]") -> pd.DatetimeIndex:
    try:
        return pd.DatetimeIndex(pd.to_datetime(texts, utc=True, format="ISO8601"))
    except ValueError:  # parse one by one, which is much slower
        return pd.DatetimeIndex(pd.to_datetime(texts, utc=True, format="mixed"))


def _scores(
    ax: Axes, moments: Floats, values: Floats, flagged: Flags, threshold: float | None, style: Style
) -> tuple[list[tuple[Artist, str]], int]:
    """Draw the scores; return the entries of the legend and the number of points."""
    has_line = threshold is not None and np.isfinite(threshold)
    scale = ScoreScale.of(values, np.append(values, threshold) if has_line else values)  # type: ignore[arg-type]
    drawn = _points_to_draw(values, ~flagged)
    (points,) = ax.plot(
        moments[drawn], scale.clipped(values[drawn])[0], ".", color=style.theme.normal,
        markersize=4 if len(drawn) < 1000 else 2.5, alpha=0.7, markeredgewidth=0,
    )  # fmt: skip
    n, n_flagged = len(values), int(flagged.sum())
    n_drawn = len(drawn)
    entries: list[tuple[Artist, str]] = [(points, f"not flagged, {n - n_flagged:,}")]
    if threshold is not None:
        drawn = _points_to_draw(values, flagged)
        n_drawn += len(drawn)
        (flagged_points,) = ax.plot(
            moments[drawn], scale.clipped(values[drawn])[0], "^", color=style.theme.anomalous,
            markersize=4.5 if len(drawn) < 300 else 3, markeredgewidth=0,
        )  # fmt: skip
        entries.append((flagged_points, f"flagged, {n_flagged:,}: {percent(n_flagged / n)}"))
    if has_line:
        line = ax.axhline(threshold, color=style.theme.text, linewidth=1, linestyle=(0, (4, 2)))  # type: ignore[arg-type]
        entries.append((line, f"threshold {number(threshold)}"))
    ax.set_ylabel("anomaly score")
    scale.apply(ax, "y")
    return entries, n_drawn


def _points_to_draw(values: Floats, mask: Flags) -> NDArray[np.int64]:
    """Return the points to draw: all of them, or the highest and a random sample."""
    indices = np.flatnonzero(mask)
    if len(indices) <= _MAX_POINTS:
        return indices
    highest = indices[np.argsort(-values[indices], kind="stable")[: _MAX_POINTS // 10]]
    rest = np.setdiff1d(indices, highest, assume_unique=True)
    sample = np.random.default_rng(0).choice(rest, _MAX_POINTS - len(highest), replace=False)
    return np.sort(np.concatenate([highest, sample]))


def _share(
    ax: Axes, moments: Floats, flagged: Flags, window: int, target: float | None, style: Style
) -> list[tuple[Artist, str]]:
    """Draw the share flagged of the last `window` samples."""
    sums = np.cumsum(np.concatenate([[0], flagged]))
    share = (sums[window:] - sums[:-window]) / window
    ends = moments[window - 1 :]
    if len(ends) > 2 * _MAX_POINTS:
        thinned = np.linspace(0, len(ends) - 1, 2 * _MAX_POINTS).astype(np.int64)
        ends, share = ends[thinned], share[thinned]
    (line,) = ax.plot(ends, share, color=style.theme.anomalous, linewidth=1.1)
    entries: list[tuple[Artist, str]] = [(line, f"share flagged of the last {window:,} samples")]
    if target is not None:
        target_line = ax.axhline(target, color=style.theme.muted, linewidth=0.9, linestyle=":")
        entries.append((target_line, f"promised for normal samples, {percent(target)}"))
    ax.set_ylim(0, min(1.02, max(1.15 * max(float(share.max()), target or 0), 0.01)))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(percent_formatter())
    ax.set_ylabel("flagged")
    return entries


def _date_axis(ax: Axes, are_dates: bool, are_counts: bool) -> None:
    if not are_dates:
        ax.set_xlabel("sample" if are_counts else "time")
        ax.xaxis.set_major_locator(MaxNLocator(6))
        return
    locator = mdates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    ax.set_xlabel("time")
