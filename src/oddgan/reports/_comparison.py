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

#: Largest number of detectors with their own small curves.
_MAX_CURVES = 8
#: Smallest width of small curves, in millimetres.
_MIN_WIDTH = 28
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
        As in :func:`roc_curves`; all scores are of the same samples.
    metrics : sequence of str, default=("auroc", "average_precision")
        Names in ``evaluation.METRICS`` of metrics that need no threshold and lie between 0 and 1.
    confidence, n_resamples, seed
        Options of the bootstrap over the samples, as in ``evaluation.bootstrap_intervals``. The
        intervals show the variation between test sets, not between training runs.
    curves : bool, default=True
        Whether to draw the curves of the first 8 detectors below the bars: each detector in
        colour, with the others behind it in grey.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure
        Bars in the order of `scores_by_name`. The dotted line is chance level, if known: 0.5 for
        the AUROC, the prevalence for average precision and AUPRC.

    Raises
    ------
    ValueError
        As in :func:`roc_curves`, or a metric is unknown or needs a threshold.
    """
    flags, scores = labelled(labels, scores_by_name)
    estimates = _estimates(flags, scores, metrics, confidence, n_resamples, seed)
    style = Style.of(look, 170)
    with_curves = list(scores)[:_MAX_CURVES] if curves else []
    per_full_row = max(2, int(style.width / _MIN_WIDTH))
    in_one_row = 2 * len(with_curves) <= per_full_row
    n_rows = -(-len(with_curves) // per_full_row)
    per_row = 2 * len(with_curves) if in_one_row else -(-len(with_curves) // max(1, n_rows))
    bars_height = 14 + 5.5 * len(scores)
    cell_size = min(46.0, style.width / max(1, per_row))
    curves_height = (n_rows * (cell_size + 1) + 8) * (1 if in_one_row else 2)
    figure = style.figure(bars_height + curves_height)
    grid = figure.add_gridspec(
        1 + bool(with_curves),
        1,
        height_ratios=[bars_height, curves_height][: 1 + bool(with_curves)],
    )
    axes = list(grid[0].subgridspec(1, len(metrics)).subplots(sharey=True, squeeze=False)[0])
    for ax, metric in zip(axes, metrics, strict=True):
        _bars(ax, metric, estimates[metric], float(flags.mean()), style)
    axes[0].set_yticks(range(len(scores)), [shortened(name, 24) for name in scores])
    for label in axes[0].get_yticklabels():
        label.set_color(style.theme.text)
        label.set_parse_math(False)
    if with_curves:
        curve_grid = grid[1].subgridspec(n_rows if in_one_row else 2 * n_rows, per_row)
        _curves(curve_grid, with_curves, flags, scores, style)
    note = (
        f"{len(flags):,} samples, {int(flags.sum()):,} anomalous. Whiskers: {100 * confidence:g} %"
    )
    note += " bootstrap intervals over the samples. Dotted: chance."
    if curves and len(scores) > _MAX_CURVES:
        note += f" Only the curves of the first {_MAX_CURVES} of {len(scores)} detectors are drawn."
    style.below(figure, (), note)
    return figure


def _estimates(
    flags: Flags,
    scores: Mapping[str, Floats],
    metrics: Sequence[str],
    confidence: float,
    n_resamples: int | None,
    seed: int,
) -> dict[str, list[tuple[float, float, float]]]:
    """Return the value and the ends of the interval of each metric for each detector."""
    if not metrics:
        raise ValueError("metrics is empty")
    if unknown := [name for name in metrics if name not in METRICS]:
        raise ValueError(f"unknown metric {unknown[0]!r}; the metrics are {', '.join(METRICS)}")
    estimates: dict[str, list[tuple[float, float, float]]] = {name: [] for name in metrics}
    for values in scores.values():
        by_metric = evaluate_scores(flags, values).as_dict()
        intervals = bootstrap_intervals(
            flags,
            values,
            metrics=metrics,
            confidence=confidence,
            n_resamples=n_resamples,
            seed=seed,
        )
        for name in metrics:
            if by_metric.get(name) is None or name not in intervals:
                raise ValueError(f"metric {name!r} needs a threshold; the comparison has none")
            estimates[name].append((by_metric[name], *intervals[name]))
    return estimates


def _bars(
    ax: Axes, metric: str, estimates: Sequence[tuple[float, float, float]], prevalence: float,
    style: Style,
) -> None:  # fmt: skip
    """Draw one metric of all detectors."""
    values, lows, highs = (np.array(column) for column in zip(*estimates, strict=True))
    positions = np.arange(len(values))
    colours = [style.theme.colours[i % len(style.theme.colours)] for i in positions]
    ax.barh(positions, values, height=0.62, color=colours, alpha=0.75)
    # A percentile interval does not always contain the value.
    ax.hlines(positions, lows, highs, color=style.theme.text, linewidth=1.1)
    for position, value, high in zip(positions, values, highs, strict=True):
        ax.annotate(
            f" {ratio(value)}", (max(value, high), position), va="center", fontsize=SMALL,
            color=style.theme.text,
        )  # fmt: skip
    chance = {"auroc": 0.5, "average_precision": prevalence, "auprc": prevalence}.get(metric)
    if chance is not None:
        ax.axvline(chance, color=style.theme.muted, linewidth=0.9, linestyle=":")
    ax.set(xlim=(0, 1.17), ylim=(len(values) - 0.4, -0.6))
    ax.set_xticks(np.linspace(0, 1, 6))
    direction = ", lower is better" if metric in LOWER_IS_BETTER else ""
    ax.set_xlabel(_TITLES.get(metric, metric.replace("_", " ")) + direction)
    style.dress(ax)
    ax.tick_params(axis="y", length=0)


def _curves(
    grid: Any, names: Sequence[str], flags: Flags, scores: Mapping[str, Floats], style: Style
) -> None:
    """Draw small ROC curves, and small precision-recall curves beside or below them."""
    in_one_row = grid.nrows == 1
    n_columns = grid.ncols // 2 if in_one_row else grid.ncols
    background_line = {
        "color": style.theme.muted,
        "alpha": 0.35,
        "linestyle": "-",
        "linewidth": 0.9,
    }
    for k, draw in enumerate((draw_roc, draw_precision_recall)):
        for i, name in enumerate(names):
            row, column = divmod(i, n_columns)
            cell = (0, k * n_columns + i) if in_one_row else (k * grid.nrows // 2 + row, column)
            ax = grid.figure.add_subplot(grid[cell])
            for other in names:
                if other != name:
                    draw(ax, flags, scores[other], style, 0, zorder=1, **background_line)
            draw(ax, flags, scores[name], style, i, linestyle="-")
            if k:
                draw_prevalence(ax, flags, style)
            else:
                ax.plot([0, 1], [0, 1], color=style.theme.muted, linewidth=0.8, linestyle=":")
            ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            ax.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
            if i + n_columns >= len(names):  # nothing is below it
                ax.set_xlabel("recall" if k else "false positive rate")
            if not column:
                ax.set_ylabel("precision" if k else "true positive rate")
            ax.tick_params(labelleft=not column)
            style.title(ax, shortened(name, int(style.width / grid.ncols / 1.9)))
            style.dress(ax)
