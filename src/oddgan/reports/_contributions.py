"""Contributions of columns to the score of a row."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ._arrays import Floats, finite
from ._style import SIZE, SMALL, Figure, Look, Style, number, percent, shortened

#: Width in millimetres of a capital letter, and of a letter of small print.
_CAPITAL, _LETTER = 2.0, 1.4


def contribution_bars(
    names: Sequence[Any],
    contributions: ArrayLike,
    values: Sequence[Any] | Mapping[Any, Any] | pd.Series | None = None,
    expected: Sequence[Any] | Mapping[Any, Any] | pd.Series | None = None,
    *,
    top: int = 8,
    title: str | None = None,
    **look: Unpack[Look],
) -> Figure:
    """Draw the contribution of each column to the anomaly score of one row, largest first.

    Parameters
    ----------
    names : sequence of length d
        Names of the columns.
    contributions : array-like of shape (d,)
        Contribution of each column; negative ones lower the anomaly score.
    values, expected : sequence of length d, or mapping or Series by name, optional
        Values of the row, and the values that the model expected, in the units of the data.
    top : int, default=8
        Number of columns to draw, largest contributions first. One bar sums up all others.
    title : str, optional
        Title, for example the name of the row.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The lengths differ, a contribution is NaN or infinite, or `top` is not positive.
    """
    columns = [str(name) for name in names]
    shares = finite(contributions, "contributions", len(columns))
    if top < 1:
        raise ValueError(f"top is at least 1, not {top!r}")
    row_values = _by_column(values, names, "values")
    expected_values = _by_column(expected, names, "expected")
    style = Style.of(look)
    order = np.argsort(-np.abs(shares), kind="stable")
    largest, others = order[:top], order[top:]
    texts = [_label(columns[i], row_values, expected_values, int(i), style.width) for i in largest]
    lengths = shares[largest]
    if len(others):
        texts.append((f"{len(others)} other columns", ""))
        lengths = np.append(lengths, shares[others].sum())
    figure = _draw(texts, lengths, float(np.abs(shares).sum()), bool(len(others)), style)
    if title:
        style.title(figure.axes[0], shortened(title, int(style.width / _CAPITAL)))
    return figure


def _by_column(sequence: Any, names: Sequence[Any], argument: str) -> list[Any] | None:
    if sequence is None:
        return None
    if isinstance(sequence, Mapping | pd.Series):
        if missing := [name for name in names if name not in sequence]:
            raise ValueError(f"{argument}: column {missing[0]!r} is missing")
        return [sequence[name] for name in names]
    values = list(sequence)
    if len(values) != len(names):
        raise ValueError(f"{argument}: {len(values)} values for {len(names)} columns")
    return values


def _label(
    name: str, values: list[Any] | None, expected: list[Any] | None, i: int, width: float
) -> tuple[str, str]:
    """Return the name of a column and the text beside it, in one line of this width."""
    name = shortened(name, 28)
    room = (width - _CAPITAL * len(name) - 6) / _LETTER - len("is , expected ")
    length = max(6, int(room / 2 if values and expected else room))
    phrases = [f"is {shortened(number(values[i]), length)}"] if values else []
    if expected:
        phrases.append(f"expected {shortened(number(expected[i]), length)}")
    return name, ", ".join(phrases)


def _draw(
    texts: Sequence[tuple[str, str]], lengths: Floats, total: float, has_rest: bool, style: Style
) -> Figure:
    """Draw one bar for each text, with the text above the bar."""
    figure = style.figure(9 + 8.5 * len(texts))
    ax = figure.subplots()
    positions = np.arange(len(texts))
    colours = np.where(lengths < 0, style.theme.normal, style.theme.anomalous).tolist()
    if has_rest:
        colours[-1] = style.theme.muted
    ax.barh(positions, lengths, height=0.34, color=colours)
    reach = float(np.abs(lengths).max()) or 1.0
    low = min(0.0, float(lengths.min()))
    for position, (name, phrase), length in zip(positions, texts, lengths, strict=True):
        annotation = ax.annotate(
            name, (low, position - 0.24), va="bottom", fontsize=SIZE, color=style.theme.text
        )
        annotation.set_parse_math(False)
        if phrase:
            phrase_text = ax.annotate(
                f"  {phrase}", (1, 0), xycoords=annotation, va="bottom", fontsize=SMALL,
                color=style.theme.muted,
            )  # fmt: skip
            phrase_text.set_parse_math(False)
        share = percent(abs(length) / total) if total else "0 %"
        ax.annotate(
            f" {'-' if length < 0 else ''}{share}", (max(length, 0), position), va="center",
            fontsize=SMALL, color=style.theme.text,
        )  # fmt: skip
    ax.set_xlim(low * 1.02, max(0.0, float(lengths.max())) + 0.14 * (reach - low))
    ax.set_ylim(len(texts) - 0.55, -0.75)
    style.dress(ax)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.axvline(0, color=style.theme.muted, linewidth=0.6)
    ax.set(xticks=[], yticks=[])
    return figure
