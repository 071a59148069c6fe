"""Scores over time: when samples were odd, and whether more and more are."""

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
from ._style import Figure, Look, Style, number, percent, percents

#: Points that are drawn of those that are flagged, and of those that are not.
_POINTS = 3000


def scores_over_time(
    times: Any,
    scores: ArrayLike,
    threshold: float | None = None,
    *,
    window: int | None = None,
    target_fpr: float | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw scores over time, mark what is flagged, and below the share that is flagged.

    Parameters
    ----------
    times : array-like of shape (n,), or None
        Dates (of NumPy, pandas, Python, or as text that pandas reads) or finite numbers, in any
        order; None is the order of the samples.
    scores : array-like of shape (n,)
        Anomaly scores, higher is odder.
    threshold : float, optional
        What is above it is flagged; without it no share is drawn.
    window : int, optional
        Successive samples that the share is of; by default 5 % of all, 20 at least. It is drawn
        at the time of the last of them.
    target_fpr : float, optional
        The share of normal samples that the threshold promises to flag, as a line.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure
        The axis of the scores is as in :func:`score_distributions`. Of more than 3000 points that
        are flagged, and of more than 3000 others, so many are drawn at random, and always the
        highest; the figure says so. The share is that of all samples.

    Raises
    ------
    ValueError
        A time is missing or no time, scores are NaN or infinite, or the lengths differ.
    """
    values = finite(scores, "scores")
    when, dated = _times(times, len(values))
    threshold, style = threshold_of(threshold), Style.of(look, 150)
    if window is not None and not 1 <= window <= len(values):
        raise ValueError(f"window is 1 to {len(values)}, the number of samples, not {window!r}")
    window = window or min(len(values), max(20, len(values) // 20))
    order = np.argsort(when, kind="stable")
    when, values = when[order], values[order]
    flagged = values > (np.inf if threshold is None else threshold)
    shares = threshold is not None
    figure = style.figure(84 if shares else 60)
    axes = figure.subplots(
        1 + shares, 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + shares]
    )[:, 0]
    entries, n_drawn = _scores(axes[0], when, values, flagged, threshold, style)
    if shares:
        entries += _share(axes[1], when, flagged, window, target_fpr, style)
    _date_axis(axes[-1], dated, times is None)
    for ax in axes:
        style.dress(ax, grid="y")
    note = f"{n_drawn:,} of {len(values):,} points are drawn, the highest among them."
    style.below(figure, entries, note if n_drawn < len(values) else "")
    return figure


def _times(times: Any, n: int) -> tuple[Floats, bool]:
    """Return times as numbers, and whether they are Matplotlib's for dates."""
    if times is None:
        return np.arange(n, dtype=np.float64), False
    values = np.asarray(times) if not isinstance(times, pd.Series | pd.Index) else times
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return finite(np.asarray(values), "times", n), False
    try:
        # In UTC: an hour that summer time repeats is then two hours.
        dates = _dates(pd.Series(values).reset_index(drop=True))
    except (TypeError, ValueError) as error:
        raise ValueError("times must be dates or numbers, one for each sample") from error
    if len(dates) != n:
        raise ValueError(f"times: {len(dates)} values for {n} samples")
    if bad := int(np.sum(dates.isna())):
        raise ValueError(f"times: {bad} of {n} are missing")
    days: Floats = mdates.date2num(dates.tz_localize(None).to_numpy())  # type: ignore[no-untyped-call]
    return days, True


def _dates(given: "pd.Series[Any]") -> pd.DatetimeIndex:
    try:
        return pd.DatetimeIndex(pd.to_datetime(given, utc=True, format="ISO8601"))
    except ValueError:  # read one by one, which takes much longer
        return pd.DatetimeIndex(pd.to_datetime(given, utc=True, format="mixed"))


def _scores(
    ax: Axes, when: Floats, values: Floats, flagged: Flags, threshold: float | None, style: Style
) -> tuple[list[tuple[Artist, str]], int]:
    """Draw the scores; return what names them, and how many points there are."""
    bounded = threshold is not None and np.isfinite(threshold)
    scale = ScoreScale.of(values, np.append(values, threshold) if bounded else values)  # type: ignore[arg-type]
    shown = _shown(values, ~flagged)
    (points,) = ax.plot(
        when[shown], scale.clipped(values[shown])[0], ".", color=style.theme.normal,
        markersize=4 if len(shown) < 1000 else 2.5, alpha=0.7, markeredgewidth=0,
    )  # fmt: skip
    n, n_flagged = len(values), int(flagged.sum())
    n_drawn = len(shown)
    entries: list[tuple[Artist, str]] = [(points, f"not flagged, {n - n_flagged:,}")]
    if threshold is not None:
        shown = _shown(values, flagged)
        n_drawn += len(shown)
        (odd,) = ax.plot(
            when[shown], scale.clipped(values[shown])[0], "^", color=style.theme.odd,
            markersize=4.5 if len(shown) < 300 else 3, markeredgewidth=0,
        )  # fmt: skip
        entries.append((odd, f"flagged, {n_flagged:,}: {percent(n_flagged / n)}"))
    if bounded:
        line = ax.axhline(threshold, color=style.theme.text, linewidth=1, linestyle=(0, (4, 2)))  # type: ignore[arg-type]
        entries.append((line, f"threshold {number(threshold)}"))
    ax.set_ylabel("anomaly score")
    scale.apply(ax, "y")
    return entries, n_drawn


def _shown(values: Floats, among: Flags) -> NDArray[np.int64]:
    """Return which of these points are drawn: all, or the highest and others at random."""
    places = np.flatnonzero(among)
    if len(places) <= _POINTS:
        return places
    highest = places[np.argsort(-values[places], kind="stable")[: _POINTS // 10]]
    rest = np.setdiff1d(places, highest, assume_unique=True)
    drawn = np.random.default_rng(0).choice(rest, _POINTS - len(highest), replace=False)
    return np.sort(np.concatenate([highest, drawn]))


def _share(
    ax: Axes, when: Floats, flagged: Flags, window: int, target: float | None, style: Style
) -> list[tuple[Artist, str]]:
    """Draw the share of the last `window` samples that is flagged."""
    sums = np.cumsum(np.concatenate([[0], flagged]))
    share = (sums[window:] - sums[:-window]) / window
    at = when[window - 1 :]
    if len(at) > 2 * _POINTS:
        every = np.linspace(0, len(at) - 1, 2 * _POINTS).astype(np.int64)
        at, share = at[every], share[every]
    (line,) = ax.plot(at, share, color=style.theme.odd, linewidth=1.1)
    entries: list[tuple[Artist, str]] = [(line, f"share flagged of the last {window:,} samples")]
    if target is not None:
        due = ax.axhline(target, color=style.theme.quiet, linewidth=0.9, linestyle=":")
        entries.append((due, f"promised for normal samples, {percent(target)}"))
    ax.set_ylim(0, min(1.02, max(1.15 * max(float(share.max()), target or 0), 0.01)))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(percents())
    ax.set_ylabel("flagged")
    return entries


def _date_axis(ax: Axes, dated: bool, counted: bool) -> None:
    if not dated:
        ax.set_xlabel("sample" if counted else "time")
        ax.xaxis.set_major_locator(MaxNLocator(6))
        return
    locator = mdates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    ax.set_xlabel("time")
