"""t-SNE maps of latent spaces and of discriminator features."""

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from ._arrays import Floats
from ._style import MARKS, Figure, Look, Style, shortened

#: Dimensions after PCA and before t-SNE, as in van der Maaten and Hinton, 2008.
_MOST_DIMENSIONS = 50
#: Iterations of t-SNE. After a start from principal components, more of them change little.
_ITERATIONS = 500
#: Largest number of groups with their own colour.
_MOST_GROUPS = 10
#: Smallest number of points of a group after random sampling.
_MIN_POINTS = 20


def latent_map(
    latents: ArrayLike | Mapping[str, ArrayLike],
    groups: ArrayLike | None = None,
    random_state: int = 0,
    *,
    max_points: int = 1000,
    **look: Unpack[Look],
) -> Figure:
    """Draw high-dimensional vectors in two dimensions with t-SNE.

    Neighbours on the map are neighbours in the space. The distances between clusters, their sizes
    and their densities have no meaning.

    Parameters
    ----------
    latents : array-like of shape (n, k), or mapping of str to array-like
        Vectors of at least 4 samples: ``detector.embed(X)``, or ``detector.embed(X,
        space="feature")`` for discriminator features. A mapping from names to several spaces of
        the same samples gives maps side by side.
    groups : array-like of shape (n,), optional
        Floating-point numbers with more than ten values (for example anomaly scores) are coloured
        by rank. Otherwise (for example classes or ``predict``) each value is a group with a colour
        and a marker, in the order of a pandas Categorical or sorted. With more than ten groups,
        the rarest share one.
    random_state : int, default=0
        Seed of the choice of points and of t-SNE.
    max_points : int, default=1000
        Largest number of points. More samples are sampled at random, with at least 20 of each
        group if available. The figure says so.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There are fewer than 4 vectors, some are NaN or infinite, or the lengths differ.

    References
    ----------
    van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 9, 2008.
    """
    spaces = latents if isinstance(latents, Mapping) else {"": latents}
    rows = {str(name): _rows(values, str(name)) for name, values in spaces.items()}
    if not rows:
        raise ValueError("latents is empty: give the vectors of at least one space")
    lengths = {name: len(values) for name, values in rows.items()}
    n = next(iter(lengths.values()))
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"latents: the spaces are not of the same samples; their lengths are {lengths}"
        )
    if max_points < 4:
        raise ValueError(f"max_points must be at least 4, not {max_points!r}")
    grouping = _grouping(groups, n)
    style = Style.of(look, 90 if len(rows) == 1 else min(400, 80 * len(rows)))
    samples = _sampled(grouping, n, max_points, np.random.default_rng(random_state))
    figure = style.figure(style.width / len(rows) * 0.9)
    axes: list[Axes] = list(figure.subplots(1, len(rows), squeeze=False)[0])
    entries: list[tuple[Artist, str]] = []
    for ax, (name, values) in zip(axes, rows.items(), strict=True):
        points = _embedded(values[samples], random_state)
        entries = _draw(ax, points, None if grouping is None else grouping[samples], style)
        ax.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        style.dress(ax)
        for spine in ax.spines.values():
            spine.set_color(style.theme.grid)
        if name:
            style.title(ax, shortened(name, 40))
    if entries and not isinstance(grouping, pd.Categorical):
        _bar_of_ranks(figure, axes, entries.pop()[0], style)
    note = f"{len(samples):,} of {n:,} samples are drawn. " if len(samples) < n else ""
    style.below(figure, entries, f"{note}t-SNE: only neighbourhoods are meaningful, not distances.")
    return figure


def _rows(values: ArrayLike, name: str) -> Floats:
    title = f"latents {name!r}" if name else "latents"
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 4 or not rows.shape[1]:
        raise ValueError(
            f"{title} must be vectors of at least 4 samples, not of shape {rows.shape}"
        )
    if n_invalid := int(np.sum(~np.isfinite(rows).all(1))):
        raise ValueError(f"{title}: {n_invalid} of {len(rows)} vectors contain NaN or infinity")
    return rows


def _grouping(groups: ArrayLike | None, n: int) -> Any:
    """Return None, numbers, or a Categorical with at most ten categories."""
    if groups is None:
        return None
    dtype = getattr(groups, "dtype", None)
    values = np.asarray(groups)
    if values.shape != (n,):
        raise ValueError(f"groups: shape {values.shape} for {n} samples")
    if values.dtype.kind == "f" and len(np.unique(values)) > _MOST_GROUPS:
        if not np.isfinite(values).all():
            raise ValueError("groups: some numbers are NaN or infinite")
        return values
    counts = pd.Series([str(value) for value in values]).value_counts()
    frequent = list(counts.index[:_MOST_GROUPS])
    if len(counts) > len(frequent):
        frequent = frequent[:-1]
    names = np.array([str(value) for value in values], dtype=object)
    other = "all others"
    names[~np.isin(names, frequent)] = other
    categories = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else np.unique(values)
    order = [str(v) for v in categories if str(v) in frequent]
    return pd.Categorical(names, [*order, other] if other in names else order)


def _sampled(grouping: Any, n: int, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the samples to draw, in random order, so that no group covers the others."""
    order = rng.permutation(n)
    if n <= limit or not isinstance(grouping, pd.Categorical):
        return order[:limit]
    codes = grouping.codes[order]
    rank = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    first = order[rank < min(_MIN_POINTS, limit // len(grouping.categories))]
    rest = order[~np.isin(order, first)]
    return rng.permutation(np.concatenate([first, rest[: limit - len(first)]]))


def _embedded(values: Floats, random_state: int) -> Floats:
    """Return the t-SNE coordinates of the samples, shape (n, 2)."""
    values = values - values.mean(0)
    # Single precision would lose the distances between large numbers.
    values /= np.abs(values).max() or 1.0
    n, k = values.shape
    if k > _MOST_DIMENSIONS and n > _MOST_DIMENSIONS:
        values = PCA(_MOST_DIMENSIONS, random_state=random_state).fit_transform(values)
    # scikit-learn divides the initial coordinates by their standard deviation.
    varies = k > 1 and bool(values.std(0).max() > 0)
    embedded: Floats = TSNE(
        perplexity=min(30.0, (n - 1) / 3),
        max_iter=_ITERATIONS,
        init="pca" if varies else "random",
        random_state=random_state,
    ).fit_transform(values)
    return embedded


def _draw(ax: Axes, points: Floats, grouping: Any, style: Style) -> list[tuple[Artist, str]]:
    """Draw the points; return the entries of the legend."""
    size = float(np.clip(4000 / len(points), 5, 20))
    if grouping is None:
        ax.scatter(
            points[:, 0], points[:, 1], s=size, color=style.theme.normal, alpha=0.7, linewidths=0
        )
        return []
    if not isinstance(grouping, pd.Categorical):
        ranks = pd.Series(grouping).rank(pct=True).to_numpy()
        cmap = "viridis_r" if style.theme.background == "#ffffff" else "viridis"
        return [
            (
                ax.scatter(points[:, 0], points[:, 1], s=size, c=ranks, cmap=cmap, vmin=0, vmax=1),
                "rank",
            )
        ]
    entries: list[tuple[Artist, str]] = []
    for i, name in enumerate(grouping.categories):
        colours = style.theme.colours
        colour = style.theme.muted if name == "all others" else colours[i % len(colours)]
        in_group = grouping == name
        marker = MARKS[i % len(MARKS)]
        ax.scatter(
            points[in_group, 0],
            points[in_group, 1],
            s=size,
            marker=marker,
            color=colour,
            alpha=0.75,
            linewidths=0,
        )
        handle = Line2D([], [], linestyle="", marker=marker, color=colour, markersize=4)
        entries.append((handle, f"{shortened(name, 40)}, {int(in_group.sum()):,}"))
    return entries


def _bar_of_ranks(figure: Figure, axes: list[Axes], artist: Any, style: Style) -> None:
    bar = figure.colorbar(artist, ax=axes, shrink=0.6, aspect=25, pad=0.02, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.set_yticklabels(["lowest", "median", "highest"])
    style.dress(bar.ax)
