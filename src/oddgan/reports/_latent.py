"""Maps of latent spaces and of discriminators' features: t-SNE."""

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

#: Dimensions that t-SNE is given, as its authors did (van der Maaten and Hinton, 2008).
_MOST_DIMENSIONS = 50
#: Started from principal components, more iterations move little.
_ROUNDS = 500
#: Groups that have a colour of their own; the others share one.
_MOST_GROUPS = 10
#: Points that a group keeps, at least, when points are drawn at random.
_LEAST = 20


def latent_map(
    latents: ArrayLike | Mapping[str, ArrayLike],
    groups: ArrayLike | None = None,
    random_state: int = 0,
    *,
    max_points: int = 1000,
    **look: Unpack[Look],
) -> Figure:
    """Draw vectors of many dimensions in two, so that neighbours stay neighbours: t-SNE.

    What is near in the map is near in the space. How far clusters are from each other, how large
    and how dense they are, means nothing.

    Parameters
    ----------
    latents : array-like of shape (n, k), or mapping of str to such
        Vectors of n samples, at least 4: ``detector.embed(X)`` or, of the discriminator,
        ``detector.embed(X, space="feature")``. Several spaces of the same samples, by name, stand
        side by side.
    groups : array-like of shape (n,), optional
        Of numbers with fractions, such as anomaly scores, the colour is their rank; of all else,
        such as classes or ``predict``, each value is a group with a colour and a mark, in the
        order of a pandas Categorical, else sorted; beyond ten the rarest share one.
    random_state : int, default=0
        Seed of the choice of points and of t-SNE.
    max_points : int, default=1000
        More samples than this are not drawn: so many are chosen at random, of each group at least
        20 if it has them. The figure says so.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        Vectors are fewer than 4, NaN or infinite, or the lengths differ.

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
            f"latents: spaces are not of the same samples, their numbers are {lengths}"
        )
    if max_points < 4:
        raise ValueError(f"max_points is at least 4, not {max_points!r}")
    grouping = _grouping(groups, n)
    style = Style.of(look, 90 if len(rows) == 1 else min(400, 80 * len(rows)))
    kept = _chosen(grouping, n, max_points, np.random.default_rng(random_state))
    figure = style.figure(style.width / len(rows) * 0.9)
    axes: list[Axes] = list(figure.subplots(1, len(rows), squeeze=False)[0])
    entries: list[tuple[Artist, str]] = []
    for ax, (name, values) in zip(axes, rows.items(), strict=True):
        places = _placed(values[kept], random_state)
        entries = _draw(ax, places, None if grouping is None else grouping[kept], style)
        ax.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        style.dress(ax)
        for spine in ax.spines.values():
            spine.set_color(style.theme.grid)
        if name:
            style.title(ax, shortened(name, 40))
    if entries and not isinstance(grouping, pd.Categorical):
        _bar_of_ranks(figure, axes, entries.pop()[0], style)
    drawn = f"{len(kept):,} of {n:,} samples are drawn. " if len(kept) < n else ""
    style.below(figure, entries, f"{drawn}t-SNE: only who is near whom has a meaning.")
    return figure


def _rows(values: ArrayLike, name: str) -> Floats:
    what = f"latents {name!r}" if name else "latents"
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 4 or not rows.shape[1]:
        raise ValueError(f"{what} must be vectors of at least 4 samples, not of shape {rows.shape}")
    if bad := int(np.sum(~np.isfinite(rows).all(1))):
        raise ValueError(f"{what}: {bad} of {len(rows)} vectors hold NaN or infinity")
    return rows


def _grouping(groups: ArrayLike | None, n: int) -> Any:
    """Return None, numbers, or a Categorical with few categories."""
    if groups is None:
        return None
    ordered = getattr(groups, "dtype", None)
    values = np.asarray(groups)
    if values.shape != (n,):
        raise ValueError(f"groups: shape {values.shape} for {n} samples")
    if values.dtype.kind == "f" and len(np.unique(values)) > _MOST_GROUPS:
        if not np.isfinite(values).all():
            raise ValueError("groups: some numbers are NaN or infinite")
        return values
    counts = pd.Series([str(value) for value in values]).value_counts()
    kept = list(counts.index[:_MOST_GROUPS])
    if len(counts) > len(kept):
        kept = kept[:-1]
    names = np.array([str(value) for value in values], dtype=object)
    other = "all others"
    names[~np.isin(names, kept)] = other
    known = ordered.categories if isinstance(ordered, pd.CategoricalDtype) else np.unique(values)
    order = [str(v) for v in known if str(v) in kept]
    return pd.Categorical(names, [*order, other] if other in names else order)


def _chosen(grouping: Any, n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return which samples are drawn, in a random order, so that no group lies on top."""
    order = rng.permutation(n)
    if n <= most or not isinstance(grouping, pd.Categorical):
        return order[:most]
    codes = grouping.codes[order]
    rank = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    first = order[rank < min(_LEAST, most // len(grouping.categories))]
    rest = order[~np.isin(order, first)]
    return rng.permutation(np.concatenate([first, rest[: most - len(first)]]))


def _placed(values: Floats, random_state: int) -> Floats:
    """Return where t-SNE puts samples, shape (n, 2)."""
    values = values - values.mean(0)
    # In 32 bit, distances between large numbers would be lost.
    values /= np.abs(values).max() or 1.0
    n, k = values.shape
    if k > _MOST_DIMENSIONS and n > _MOST_DIMENSIONS:
        values = PCA(_MOST_DIMENSIONS, random_state=random_state).fit_transform(values)
    # scikit-learn divides the initial places by their deviation.
    spread = k > 1 and bool(values.std(0).max() > 0)
    embedded: Floats = TSNE(
        perplexity=min(30.0, (n - 1) / 3),
        max_iter=_ROUNDS,
        init="pca" if spread else "random",
        random_state=random_state,
    ).fit_transform(values)
    return embedded


def _draw(ax: Axes, places: Floats, grouping: Any, style: Style) -> list[tuple[Artist, str]]:
    """Draw points; return what names them."""
    size = float(np.clip(4000 / len(places), 5, 20))
    if grouping is None:
        ax.scatter(
            places[:, 0], places[:, 1], s=size, color=style.theme.normal, alpha=0.7, linewidths=0
        )
        return []
    if not isinstance(grouping, pd.Categorical):
        ranks = pd.Series(grouping).rank(pct=True).to_numpy()
        cmap = "viridis_r" if style.theme.ground == "#ffffff" else "viridis"
        return [
            (
                ax.scatter(places[:, 0], places[:, 1], s=size, c=ranks, cmap=cmap, vmin=0, vmax=1),
                "rank",
            )
        ]
    entries: list[tuple[Artist, str]] = []
    for i, name in enumerate(grouping.categories):
        colours = style.theme.colours
        colour = style.theme.quiet if name == "all others" else colours[i % len(colours)]
        of_group = grouping == name
        mark = MARKS[i % len(MARKS)]
        ax.scatter(
            places[of_group, 0],
            places[of_group, 1],
            s=size,
            marker=mark,
            color=colour,
            alpha=0.75,
            linewidths=0,
        )
        handle = Line2D([], [], linestyle="", marker=mark, color=colour, markersize=4)
        entries.append((handle, f"{shortened(name, 40)}, {int(of_group.sum()):,}"))
    return entries


def _bar_of_ranks(figure: Figure, axes: list[Axes], points: Any, style: Style) -> None:
    bar = figure.colorbar(points, ax=axes, shrink=0.6, aspect=25, pad=0.02, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.set_yticklabels(["lowest", "median", "highest"])
    style.dress(bar.ax)
