"""Several detectors side by side on the same samples."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from oddgan.evaluation import LOWER_IS_BETTER, METRICS, bootstrap_intervals, evaluate_scores

from ._arrays import Flags, Floats, labelled
from ._curves import draw_precision_recall, draw_prevalence, draw_roc
from ._style import SMALL, Figure, Look, Style, ratio, shortened

#: Detectors that have small curves of their own.
_MOST = 8
#: Millimetres that small curves are wide, at least.
_LEAST = 28
_TITLES = {"auroc": "AUROC", "average_precision": "average precision", "auprc": "AUPRC"}


def comparison(
    labels: ArrayLike,
    scores_by_name: Mapping[str, ArrayLike],
    *,
    metrics: Sequence[str] = ("auroc", "average_precision"),
    confidence: float = 0.95,
    n_resamples: int | None = None,
    curves: bool = True,
    seed: int = 0,
    **look: Unpack[Look],
) -> Figure:
    """Draw several detectors side by side: metrics with intervals, ROC and precision-recall.

    Parameters
    ----------
    labels, scores_by_name
        As in :func:`roc_curves`, all of the same samples.
    metrics : sequence of str, default=("auroc", "average_precision")
        Names of ``evaluation.METRICS`` that need no threshold, between 0 and 1.
    confidence, n_resamples, seed
        Of the bootstrap over the samples, as in ``evaluation.bootstrap_intervals``. It says what
        another test set of this kind would change, not what another training would.
    curves : bool, default=True
        Whether to draw the curves below: for each detector its own in colour, those of the others
        behind in grey; of the first 8 detectors.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure
        Bars in the order that was given. The dotted line is chance where it is known: 0.5 for the
        AUROC, the prevalence for average precision and AUPRC.

    Raises
    ------
    ValueError
        As in :func:`roc_curves`, or a metric is unknown or needs a threshold.
    """
    flags, scores = labelled(labels, scores_by_name)
    measured = _measured(flags, scores, metrics, confidence, n_resamples, seed)
    style = Style.of(look, 170)
    small = list(scores)[:_MOST] if curves else []
    fitting = max(2, int(style.width / _LEAST))
    in_one_row = 2 * len(small) <= fitting
    n_rows = -(-len(small) // fitting)
    per_row = 2 * len(small) if in_one_row else -(-len(small) // max(1, n_rows))
    bars_high = 14 + 5.5 * len(scores)
    cell = min(46.0, style.width / max(1, per_row))
    curves_high = (n_rows * (cell + 1) + 8) * (1 if in_one_row else 2)
    figure = style.figure(bars_high + curves_high)
    grid = figure.add_gridspec(
        1 + bool(small), 1, height_ratios=[bars_high, curves_high][: 1 + bool(small)]
    )
    axes = list(grid[0].subgridspec(1, len(metrics)).subplots(sharey=True, squeeze=False)[0])
    for ax, metric in zip(axes, metrics, strict=True):
        _bars(ax, metric, measured[metric], float(flags.mean()), style)
    axes[0].set_yticks(range(len(scores)), [shortened(name, 24) for name in scores])
    for note in axes[0].get_yticklabels():
        note.set_color(style.theme.text)
        note.set_parse_math(False)
    if small:
        below = grid[1].subgridspec(n_rows if in_one_row else 2 * n_rows, per_row)
        _curves(below, small, flags, scores, style)
    note = (
        f"{len(flags):,} samples, {int(flags.sum()):,} anomalous. Whiskers: {100 * confidence:g} %"
    )
    note += " bootstrap intervals over the samples; dotted: chance."
    if curves and len(scores) > _MOST:
        note += f" Curves of the first {_MOST} of {len(scores)}."
    style.below(figure, (), note)
    return figure


def _measured(
    flags: Flags,
    scores: Mapping[str, Floats],
    metrics: Sequence[str],
    confidence: float,
    n_resamples: int | None,
    seed: int,
) -> dict[str, list[tuple[float, float, float]]]:
    """Return value, low and high end of each metric for each detector."""
    if not metrics:
        raise ValueError("metrics is empty")
    if unknown := [name for name in metrics if name not in METRICS]:
        raise ValueError(f"there is no metric {unknown[0]!r}; there are {', '.join(METRICS)}")
    measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in metrics}
    for values in scores.values():
        known = evaluate_scores(flags, values).as_dict()
        ends = bootstrap_intervals(
            flags,
            values,
            metrics=metrics,
            confidence=confidence,
            n_resamples=n_resamples,
            seed=seed,
        )
        for name in metrics:
            if known.get(name) is None or name not in ends:
                raise ValueError(f"metric {name!r} needs a threshold, and has no place here")
            measured[name].append((known[name], *ends[name]))
    return measured


def _bars(
    ax: Axes, metric: str, measured: Sequence[tuple[float, float, float]], prevalence: float,
    style: Style,
) -> None:  # fmt: skip
    """Draw one metric of all detectors."""
    values, lows, highs = (np.array(part) for part in zip(*measured, strict=True))
    places = np.arange(len(values))
    colours = [style.theme.colours[i % len(style.theme.colours)] for i in places]
    ax.barh(places, values, height=0.62, color=colours, alpha=0.75)
    # A percentile interval need not hold the value.
    ax.hlines(places, lows, highs, color=style.theme.text, linewidth=1.1)
    for place, value, high in zip(places, values, highs, strict=True):
        ax.annotate(
            f" {ratio(value)}", (max(value, high), place), va="center", fontsize=SMALL,
            color=style.theme.text,
        )  # fmt: skip
    chance = {"auroc": 0.5, "average_precision": prevalence, "auprc": prevalence}.get(metric)
    if chance is not None:
        ax.axvline(chance, color=style.theme.quiet, linewidth=0.9, linestyle=":")
    ax.set(xlim=(0, 1.17), ylim=(len(values) - 0.4, -0.6))
    ax.set_xticks(np.linspace(0, 1, 6))
    lower = ", lower is better" if metric in LOWER_IS_BETTER else ""
    ax.set_xlabel(_TITLES.get(metric, metric.replace("_", " ")) + lower)
    style.dress(ax)
    ax.tick_params(axis="y", length=0)


def _curves(
    grid: Any, names: Sequence[str], flags: Flags, scores: Mapping[str, Floats], style: Style
) -> None:
    """Draw small ROC curves, and below small precision-recall curves."""
    in_one_row = grid.nrows == 1
    n_columns = grid.ncols // 2 if in_one_row else grid.ncols
    others = {"color": style.theme.quiet, "alpha": 0.35, "linestyle": "-", "linewidth": 0.9}
    for k, draw in enumerate((draw_roc, draw_precision_recall)):
        for i, name in enumerate(names):
            row, column = divmod(i, n_columns)
            at = (0, k * n_columns + i) if in_one_row else (k * grid.nrows // 2 + row, column)
            ax = grid.figure.add_subplot(grid[at])
            for other in names:
                if other != name:
                    draw(ax, flags, scores[other], style, 0, zorder=1, **others)
            draw(ax, flags, scores[name], style, i, linestyle="-")
            if k:
                draw_prevalence(ax, flags, style)
            else:
                ax.plot([0, 1], [0, 1], color=style.theme.quiet, linewidth=0.8, linestyle=":")
            ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            ax.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
            if i + n_columns >= len(names):  # nothing is below it
                ax.set_xlabel("recall" if k else "false positive rate")
            if not column:
                ax.set_ylabel("precision" if k else "true positive rate")
            ax.tick_params(labelleft=not column)
            style.title(ax, shortened(name, int(style.width / grid.ncols / 1.9)))
            style.dress(ax)
