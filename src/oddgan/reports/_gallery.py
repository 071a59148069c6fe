"""Galleries of the most anomalous, the borderline and the most normal images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from numpy.typing import ArrayLike, NDArray

from ._arrays import finite, threshold_of
from ._pixels import Channels, Image, as_images, display_range, residual, scaled_to_range
from ._style import SIZE, Figure, Look, Style, number, shortened

#: Layout in millimetres: width of row names and of a colour bar, gaps between sections and between
#: images, margin above a section, height of captions, bottom margin, and largest image width.
_NAMES, _BAR, _SECTION_GAP, _GAP = 18.5, 11.0, 3.0, 1.0
_TOP_MARGIN, _CAPTION, _BOTTOM_MARGIN, _MAX_WIDTH = 6.0, 6.5, 6.5, 20.0
#: Width in millimetres of a digit of small print, for captions.
_DIGIT = 1.46
#: Figures narrower than this, in millimetres, stack the sections.
_NARROW = 120


def pick(
    scores: ArrayLike, threshold: float | None = None, n_each: int = 3
) -> dict[str, NDArray[np.int64]]:
    """Choose the most anomalous, the borderline and the most normal samples.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Anomaly scores, higher is more anomalous.
    threshold : float, optional
        The borderline samples are the nearest to it, on either side. Without it there are none.
    n_each : int, default=3
        Largest number of each kind. No sample is chosen twice; few samples are divided among all
        kinds.

    Returns
    -------
    dict of str to ndarray
        Row numbers of "oddest", "borderline" and "most normal", highest scores first.
    """
    values = finite(scores, "scores")
    threshold = threshold_of(threshold)
    if n_each < 1:
        raise ValueError(f"n_each must be at least 1, not {n_each!r}")
    kinds = 2 if threshold is None else 3
    order = np.argsort(-values, kind="stable")
    n = min(n_each, -(-len(values) // kinds))
    oddest, rest = order[:n], order[n:]
    n = min(n, len(rest) if kinds == 2 else -(-len(rest) // 2))
    normal, rest = rest[len(rest) - n :], rest[: len(rest) - n]
    groups = {"oddest": oddest, "most normal": normal}
    if threshold is not None:
        nearest = np.argsort(np.abs(values[rest] - threshold), kind="stable")[:n_each]
        groups = {"oddest": oddest, "borderline": rest[np.sort(nearest)], "most normal": normal}
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
    """Draw the most anomalous, the borderline and the most normal images, with explanations.

    Each image is a column: the input, its reconstruction, the residual |input - reconstruction|
    (averaged over channels), and the anomaly map. All residuals share one scale, and all maps
    share another, so that residuals and maps of normal images are dark.

    Parameters
    ----------
    images : sequence of n arrays
        Grey (h, w), or with channels first or last. Sizes may differ.
    reconstructions : sequence of n arrays, optional
        ``detector.reconstruct(images)``, in the units of the images. The residual has the size of
        the reconstruction.
    maps : sequence of n arrays (h, w), optional
        ``detector.explain(images)``.
    scores : array-like of shape (n,), optional
        Anomaly scores, which choose the images. Without them the first `3 n_each` are drawn.
    threshold : float, optional
        Frames mark images with scores above it. The images nearest to it are borderline.
    names : sequence of length n, optional
        Names of the images; by default their numbers from 0.
    masks : sequence of n arrays (h, w), optional
        Pixels whose map value is above the pixel threshold; outlined on the input.
    n_each : int, default=3
        Number of images of each kind.
    channels : {"auto", "first", "last"}, default="auto"
        Position of the channel axis.
    **look
        See :class:`Look`. Figures narrower than 120 mm stack the three kinds.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        Lengths differ, an array is not an image, or values are NaN or infinite.
    """
    n = len(images)
    if scores is None:
        if threshold is not None:
            raise ValueError("a threshold needs scores")
        sections = {"": np.arange(min(n, 3 * n_each))}
    else:
        scores = finite(scores, "scores", n)
        sections = pick(scores, threshold, n_each)
    for argument, sequence in {
        "reconstructions": reconstructions,
        "maps": maps,
        "names": names,
        "masks": masks,
    }.items():
        if sequence is not None and len(sequence) != n:
            raise ValueError(f"{argument}: {len(sequence)} for {n} images")
    samples = np.concatenate(list(sections.values()))

    def selected(arrays: Any, argument: str) -> list[Image] | None:
        if arrays is None:
            return None
        return as_images([arrays[i] for i in samples], argument, channels)

    inputs = selected(images, "images")
    if not inputs:
        raise ValueError("images is empty")
    rows = _rows(inputs, selected(reconstructions, "reconstructions"), selected(maps, "maps"))
    captions = [str(i) if names is None else str(names[i]) for i in samples]
    flagged = np.zeros(len(samples), dtype=bool)
    values = None
    if scores is not None:
        values = [number(float(value)) for value in np.asarray(scores)[samples]]
        if threshold is not None:
            flagged = np.asarray(scores)[samples] > threshold
    sheet = _Sheet(rows, captions, values, flagged, selected(masks, "masks"))
    lengths = {title: len(rows_of) for title, rows_of in sections.items()}
    style = Style.of(look, 170)
    return _draw(sheet, lengths, threshold, style)


@dataclass(frozen=True)
class _Row:
    """One row of the gallery: its name, its images, and the largest value of its scale, if any."""

    name: str
    tiles: list[Image]
    largest: float | None = None


@dataclass(frozen=True)
class _Sheet:
    """The content of the gallery, in the order of the columns."""

    rows: list[_Row]
    names: list[str]
    scores: list[str] | None
    flagged: NDArray[np.bool_]
    masks: list[Image] | None


def _rows(
    images: list[Image], reconstructions: list[Image] | None, maps: list[Image] | None
) -> list[_Row]:
    limits = display_range(images)
    rows = [_Row("input", [scaled_to_range(image, *limits) for image in images])]
    if reconstructions is not None:
        rows.append(
            _Row("reconstruction", [scaled_to_range(image, *limits) for image in reconstructions])
        )
        residuals = [residual(*pair) for pair in zip(images, reconstructions, strict=True)]
        rows.append(_Row("residual", residuals, _largest(residuals)))
    if maps is not None:
        flat = [tile.mean(2) if tile.ndim == 3 else tile for tile in maps]
        rows.append(_Row("map", flat, _largest(flat)))
    return rows


def _largest(tiles: Sequence[Image]) -> float:
    return max(float(tile.max()) for tile in tiles) or 1.0


def _draw(sheet: _Sheet, sections: dict[str, int], threshold: float | None, style: Style) -> Figure:
    """Lay out everything in millimetres, so that nothing overlaps."""
    stacked = style.width < _NARROW
    blocks = [[section] for section in sections] if stacked else [list(sections)]
    n_columns = max(sum(sections[section] for section in block) for block in blocks)
    available = style.width - _NAMES - _BAR - _SECTION_GAP * (len(blocks[0]) - 1)
    tile_width = min(_MAX_WIDTH, available / max(n_columns, 3) - _GAP)
    shapes = [tile.shape for tile in sheet.rows[0].tiles]
    tile_height = tile_width * float(np.clip(np.median([h / w for h, w, *_ in shapes]), 0.3, 2.5))
    block_height = _TOP_MARGIN + _CAPTION + len(sheet.rows) * (tile_height + _GAP)
    height = len(blocks) * block_height + _BOTTOM_MARGIN
    figure = style.figure(height)
    figure.set_layout_engine("none")
    first, top = 0, height
    for block in blocks:
        left = _NAMES
        top -= _TOP_MARGIN + _CAPTION
        for r, row in enumerate(sheet.rows):
            middle = top - r * (tile_height + _GAP) - tile_height / 2
            style.write(figure, (_NAMES - 1.5, middle), row.name, ha="right", va="center")
        for section in block:
            style.write(figure, (left, top + _CAPTION + 1.2), section, size=SIZE)
            for column in range(first, first + sections[section]):
                _column(figure, style, height, sheet, column, (left, top, tile_width, tile_height))
                left += tile_width + _GAP
            first += sections[section]
            left += _SECTION_GAP
        for r, row in enumerate(sheet.rows):
            if row.largest is not None:
                bottom = top - r * (tile_height + _GAP) - tile_height
                _scale(figure, style, height, row, (left - _SECTION_GAP, bottom, tile_height))
        top -= len(sheet.rows) * (tile_height + _GAP)
    if threshold is not None:
        note = f"Frames mark flagged images: the score is above the threshold {number(threshold)}."
        style.write(figure, (1.5, 2.5), note, color=style.theme.muted)
    return figure


def _axes(
    figure: Figure, height: float, left: float, bottom: float, tile_width: float, tile_height: float
) -> Axes:
    width = figure.get_figwidth() * 25.4
    return figure.add_axes(
        (left / width, bottom / height, tile_width / width, tile_height / height)
    )


def _column(
    figure: Figure, style: Style, height: float, sheet: _Sheet, i: int,
    position: tuple[float, float, float, float],
) -> None:  # fmt: skip
    """Draw the column of one image, with its caption above."""
    left, top, tile_width, tile_height = position
    length = max(3, int(tile_width / _DIGIT))
    style.write(figure, (left, top + 3.7), _end(sheet.names[i], length),
           color=style.theme.muted)  # fmt: skip
    if sheet.scores:
        colour = style.theme.anomalous if sheet.flagged[i] else style.theme.text
        style.write(figure, (left, top + 0.9), shortened(sheet.scores[i], length),
               color=colour)  # fmt: skip
    for r, row in enumerate(sheet.rows):
        ax = _axes(
            figure,
            height,
            left,
            top - r * (tile_height + _GAP) - tile_height,
            tile_width,
            tile_height,
        )
        cmap, vmax = ("gray", 1.0) if row.largest is None else ("magma", row.largest)
        ax.imshow(row.tiles[i], cmap=cmap, vmin=0, vmax=vmax, interpolation="nearest")
        ax.set(xticks=[], yticks=[], facecolor="none")
        has_frame = bool(sheet.flagged[i]) and not r
        for spine in ax.spines.values():
            colour = style.theme.anomalous if has_frame else style.theme.grid
            spine.set(color=colour, linewidth=1.6 if has_frame else 0.4)
        if sheet.masks and not r:
            _outline(ax, sheet.masks[i] > 0, style)


def _end(name: str, length: int) -> str:
    """Return the end of a file name, without folder and suffix, since ends tell files apart."""
    stem = name.rpartition("/")[2]
    if stem.lower().endswith((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")):
        stem = stem.rpartition(".")[0]
    return stem if len(stem) <= length else f"…{stem[len(stem) - length + 1 :]}"


def _outline(ax: Axes, mask: Image, style: Style) -> None:
    """Outline the pixels of a mask, including those at the border of the image."""
    factor, h, w = 4, *mask.shape[:2]
    padded = np.pad(np.kron(mask, np.ones((factor, factor))), 1)
    ends = 0.5 + 0.5 / factor
    x, y = (np.linspace(-ends, n - 1 + ends, n * factor + 2) for n in (w, h))
    if mask.any():
        ax.contour(x, y, padded, [0.5], colors=[style.theme.anomalous], linewidths=0.9)


def _scale(
    figure: Figure, style: Style, height: float, row: _Row, position: tuple[float, float, float]
) -> None:
    """Draw the colour bar of a row beside it."""
    left, bottom, tile_height = position
    ax = _axes(figure, height, left + 1, bottom, 1.6, tile_height)
    colours = ScalarMappable(Normalize(0, row.largest), "magma")
    bar = figure.colorbar(colours, cax=ax, ticks=[0, row.largest or 1])
    bar.ax.set_yticklabels(["0", number(float(f"{row.largest or 1:.2g}"))])
    style.dress(bar.ax)
    bar.outline.set_visible(False)
    lower, upper = bar.ax.get_yticklabels()
    lower.set_verticalalignment("bottom")
    upper.set_verticalalignment("top")
