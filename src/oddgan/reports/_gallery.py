"""Galleries: the oddest images, the borderline ones and the most normal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from ._arrays import finite, threshold_of
from ._pixels import Channels, Image, as_images, between, range_of, residual
from ._style import SIZE, Figure, Look, Style, number, shortened

#: Millimetres: of the names of the rows, of a bar of colours, between sections, between images,
#: above a section, of the captions, below all, and the width of an image at most.
_NAMES, _BAR, _APART, _GAP = 18.5, 11.0, 3.0, 1.0
_ABOVE, _CAPTION, _BELOW, _MOST = 6.0, 6.5, 6.5, 20.0
#: Millimetres of a digit of small print: the width of captions.
_DIGIT = 1.46
#: Below this width the sections are one below the other.
_NARROW = 120


def pick(
    scores: ArrayLike, threshold: float | None = None, n_each: int = 3
) -> dict[str, NDArray[np.int64]]:
    """Choose the samples that tell most: the oddest, the borderline ones, the most normal.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Anomaly scores, higher is odder.
    threshold : float, optional
        Borderline are those nearest to it, on either side; without it there are none.
    n_each : int, default=3
        How many of each, at most; no sample is chosen twice, and where there are few all kinds
        get their share.

    Returns
    -------
    dict of str to ndarray
        Row numbers, the odder first, of "oddest", "borderline" and "most normal".
    """
    values = finite(scores, "scores")
    threshold = threshold_of(threshold)
    if n_each < 1:
        raise ValueError(f"n_each is at least 1, not {n_each!r}")
    kinds = 2 if threshold is None else 3
    order = np.argsort(-values, kind="stable")
    n = min(n_each, -(-len(values) // kinds))
    oddest, rest = order[:n], order[n:]
    n = min(n, len(rest) if kinds == 2 else -(-len(rest) // 2))
    normal, rest = rest[len(rest) - n :], rest[: len(rest) - n]
    groups = {"oddest": oddest, "most normal": normal}
    if threshold is not None:
        near = np.argsort(np.abs(values[rest] - threshold), kind="stable")[:n_each]
        groups = {"oddest": oddest, "borderline": rest[np.sort(near)], "most normal": normal}
    return {kind: rows for kind, rows in groups.items() if len(rows)}


def gallery(
    images: Any,
    reconstructions: Any = None,
    maps: Any = None,
    scores: ArrayLike | None = None,
    *,
    threshold: float | None = None,
    names: Sequence[Any] | None = None,
    masks: Any = None,
    n_each: int = 3,
    channels: Channels = "auto",
    **look: Unpack[Look],
) -> Figure:
    """Draw the oddest images, the borderline ones and the most normal, and why.

    Each image is a column: the input, its reconstruction, the residual |input - reconstruction|
    (the mean over channels), and the map of the detector. All residuals have one scale, and so
    have all maps, so that those of normal images are dark.

    Parameters
    ----------
    images : sequence of n arrays
        Grey (h, w) or with channels, first or last; they may vary in size.
    reconstructions : sequence of n arrays, optional
        ``detector.reconstruct(images)``, in the units of the images; where they have another size
        the residual has theirs.
    maps : sequence of n arrays (h, w), optional
        ``detector.explain(images)``.
    scores : array-like of shape (n,), optional
        Anomaly scores, which choose what is drawn; without them the first `3 n_each` are.
    threshold : float, optional
        Scores above it are flagged: a frame marks these. The images nearest to it are borderline.
    names : sequence of length n, optional
        What the images are called; else their numbers from 0.
    masks : sequence of n arrays (h, w), optional
        Where the map is above the threshold of pixels: outlined on the input.
    n_each : int, default=3
        Images of each kind.
    channels : {"auto", "first", "last"}, default="auto"
        Where the channels are.
    **look
        See :class:`Look`. Below a width of 120 mm the three kinds are one below the other.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        Lengths differ, an array is not an image, or something is NaN or infinite.
    """
    n = len(images)
    if scores is None:
        if threshold is not None:
            raise ValueError("a threshold needs scores to be compared with")
        sections = {"": np.arange(min(n, 3 * n_each))}
    else:
        scores = finite(scores, "scores", n)
        sections = pick(scores, threshold, n_each)
    for what, given in {
        "reconstructions": reconstructions,
        "maps": maps,
        "names": names,
        "masks": masks,
    }.items():
        if given is not None and len(given) != n:
            raise ValueError(f"{what}: {len(given)} for {n} images")
    chosen = np.concatenate(list(sections.values()))

    def of_chosen(given: Any, what: str) -> list[Image] | None:
        return None if given is None else as_images([given[i] for i in chosen], what, channels)

    shown = of_chosen(images, "images")
    if not shown:
        raise ValueError("images is empty")
    rows = _rows(shown, of_chosen(reconstructions, "reconstructions"), of_chosen(maps, "maps"))
    captions = [str(i) if names is None else str(names[i]) for i in chosen]
    flagged = np.zeros(len(chosen), dtype=bool)
    values = None
    if scores is not None:
        values = [number(float(value)) for value in np.asarray(scores)[chosen]]
        if threshold is not None:
            flagged = np.asarray(scores)[chosen] > threshold
    sheet = _Sheet(rows, captions, values, flagged, of_chosen(masks, "masks"))
    lengths = {title: len(found) for title, found in sections.items()}
    style = Style.of(look, 170)
    return _drawn(sheet, lengths, threshold, style)


@dataclass(frozen=True)
class _Row:
    """One row of all images: its name, and what is 1 on its scale if it has one."""

    name: str
    tiles: list[Image]
    largest: float | None = None


@dataclass(frozen=True)
class _Sheet:
    """All that is drawn, in the order of the columns."""

    rows: list[_Row]
    names: list[str]
    scores: list[str] | None
    flagged: NDArray[np.bool_]
    masks: list[Image] | None


def _rows(images: list[Image], rebuilt: list[Image] | None, maps: list[Image] | None) -> list[_Row]:
    ends = range_of(images)
    rows = [_Row("input", [between(image, *ends) for image in images])]
    if rebuilt is not None:
        rows.append(_Row("reconstruction", [between(image, *ends) for image in rebuilt]))
        apart = [residual(*pair) for pair in zip(images, rebuilt, strict=True)]
        rows.append(_Row("residual", apart, _largest(apart)))
    if maps is not None:
        flat = [found.mean(2) if found.ndim == 3 else found for found in maps]
        rows.append(_Row("map", flat, _largest(flat)))
    return rows


def _largest(tiles: Sequence[Image]) -> float:
    return max(float(tile.max()) for tile in tiles) or 1.0


def _drawn(
    sheet: _Sheet, sections: dict[str, int], threshold: float | None, style: Style
) -> Figure:
    """Place everything by the millimetre, so that nothing can overlap."""
    stacked = style.width < _NARROW
    blocks = [[section] for section in sections] if stacked else [list(sections)]
    n_columns = max(sum(sections[section] for section in block) for block in blocks)
    room = style.width - _NAMES - _BAR - _APART * (len(blocks[0]) - 1)
    wide = min(_MOST, room / max(n_columns, 3) - _GAP)
    shapes = [tile.shape for tile in sheet.rows[0].tiles]
    high = wide * float(np.clip(np.median([h / w for h, w, *_ in shapes]), 0.3, 2.5))
    block_height = _ABOVE + _CAPTION + len(sheet.rows) * (high + _GAP)
    height = len(blocks) * block_height + _BELOW
    figure = style.figure(height)
    figure.set_layout_engine("none")
    first, top = 0, height
    for block in blocks:
        left = _NAMES
        top -= _ABOVE + _CAPTION
        for r, row in enumerate(sheet.rows):
            middle = top - r * (high + _GAP) - high / 2
            style.write(figure, (_NAMES - 1.5, middle), row.name, ha="right", va="center")
        for section in block:
            style.write(figure, (left, top + _CAPTION + 1.2), section, size=SIZE)
            for column in range(first, first + sections[section]):
                _column(figure, style, height, sheet, column, (left, top, wide, high))
                left += wide + _GAP
            first += sections[section]
            left += _APART
        for r, row in enumerate(sheet.rows):
            if row.largest is not None:
                bottom = top - r * (high + _GAP) - high
                _scale(figure, style, height, row, (left - _APART, bottom, high))
        top -= len(sheet.rows) * (high + _GAP)
    if threshold is not None:
        note = f"A frame: flagged, the score is above the threshold {number(threshold)}."
        style.write(figure, (1.5, 2.5), note, color=style.theme.quiet)
    return figure


def _axes(
    figure: Figure, height: float, left: float, bottom: float, wide: float, high: float
) -> Axes:
    width = figure.get_figwidth() * 25.4
    return figure.add_axes((left / width, bottom / height, wide / width, high / height))


def _column(
    figure: Figure, style: Style, height: float, sheet: _Sheet, i: int,
    place: tuple[float, float, float, float],
) -> None:  # fmt: skip
    """Draw one image, all that belongs to it below, and its caption above."""
    left, top, wide, high = place
    length = max(3, int(wide / _DIGIT))
    style.write(figure, (left, top + 3.7), _end(sheet.names[i], length),
           color=style.theme.quiet)  # fmt: skip
    if sheet.scores:
        colour = style.theme.odd if sheet.flagged[i] else style.theme.text
        style.write(figure, (left, top + 0.9), shortened(sheet.scores[i], length),
               color=colour)  # fmt: skip
    for r, row in enumerate(sheet.rows):
        ax = _axes(figure, height, left, top - r * (high + _GAP) - high, wide, high)
        cmap, white = ("gray", 1.0) if row.largest is None else ("magma", row.largest)
        ax.imshow(row.tiles[i], cmap=cmap, vmin=0, vmax=white, interpolation="nearest")
        ax.set(xticks=[], yticks=[], facecolor="none")
        framed = bool(sheet.flagged[i]) and not r
        for spine in ax.spines.values():
            colour = style.theme.odd if framed else style.theme.grid
            spine.set(color=colour, linewidth=1.6 if framed else 0.4)
        if sheet.masks and not r:
            _outline(ax, sheet.masks[i] > 0, style)


def _end(name: str, length: int) -> str:
    """Return the end of a name, which tells files apart, without the folder and the suffix."""
    stem = name.rpartition("/")[2]
    if stem.lower().endswith((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")):
        stem = stem.rpartition(".")[0]
    return stem if len(stem) <= length else f"…{stem[len(stem) - length + 1 :]}"


def _outline(ax: Axes, mask: Image, style: Style) -> None:
    """Draw the edges of the pixels that a mask holds, those at the border of the image too."""
    fine, h, w = 4, *mask.shape[:2]
    padded = np.pad(np.kron(mask, np.ones((fine, fine))), 1)
    ends = 0.5 + 0.5 / fine
    x, y = (np.linspace(-ends, n - 1 + ends, n * fine + 2) for n in (w, h))
    if mask.any():
        ax.contour(x, y, padded, [0.5], colors=[style.theme.odd], linewidths=0.9)


def _scale(
    figure: Figure, style: Style, height: float, row: _Row, place: tuple[float, float, float]
) -> None:
    """Draw the scale of a row beside it."""
    left, bottom, high = place
    ax = _axes(figure, height, left + 1, bottom, 1.6, high)
    colours = ScalarMappable(Normalize(0, row.largest), "magma")
    bar = figure.colorbar(colours, cax=ax, ticks=[0, row.largest or 1])
    bar.ax.set_yticklabels(["0", number(float(f"{row.largest or 1:.2g}"))])
    style.dress(bar.ax)
    bar.outline.set_visible(False)
    lower, upper = bar.ax.get_yticklabels()
    lower.set_verticalalignment("bottom")
    upper.set_verticalalignment("top")
