"""Training curves, with the signs of a collapse."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Unpack

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from oddgan.health import SEPARATES, HealthCheck

from ._arrays import Floats
from ._style import Figure, Look, Style

History = Sequence[Mapping[str, float]]


def training_curves(
    history: History | Sequence[History] | Mapping[Any, History],
    checks: Iterable[HealthCheck] = (),
    **look: Unpack[Look],
) -> Figure:
    """Draw each loss over the training steps, and what went wrong.

    Each loss has a panel of its own, since their sizes differ; the axis is logarithmic where a
    loss is positive and falls or rises by more than a factor of 50. Where a stage of training ends
    is a vertical line. For an ensemble each member is a thin line, and the mean over the members a
    thick one.

    Marked are: losses of a discriminator below 0.001, which tells the two sides apart without a
    doubt and leaves nothing to learn; and losses that are NaN or infinite. Checks of the health of
    the fit that failed are written below: a collapsed generator, a dead encoder, and so on.

    Parameters
    ----------
    history : sequence of mapping
        ``detector.history_``: mean losses by name, each with its training step, "step". Of several
        members or runs a sequence of such, or a mapping by name.
    checks : iterable of HealthCheck
        ``detector.health_checks_`` or ``detector.health_``.
    **look
        See :class:`Look`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There are no losses: the weights have a closed form, or there was no training step.
    """
    runs = _runs(history)
    names = list(dict.fromkeys(name for run in runs for entry in run for name in entry))
    names.remove("step")
    if not names:
        raise ValueError("history has training steps but no losses")
    style, checks = Style.of(look), list(checks)
    failed = sorted((c for c in checks if not c.passed), key=lambda c: c.severity != "severe")
    figure = style.figure(10 + max(22, 58 / len(names)) * len(names))
    axes: list[Axes] = list(figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0])
    ends = _stages(runs[0])
    entries: dict[str, Artist] = {}
    for i, (ax, name) in enumerate(zip(axes, names, strict=True)):
        entries |= _panel(ax, runs, name, i, style)
        for end in ends:
            rule = ax.axvline(end, color=style.theme.quiet, linewidth=0.8, linestyle=":")
            entries["end of a stage"] = rule
        style.title(ax, f"{name} loss")
        style.dress(ax, grid="y")
    axes[-1].set_xlabel("training step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    note = "\n".join(f"{check.severity}: {check}" for check in failed)
    if checks and not failed:
        note = f"Checks of the fit: {len(checks)}, all passed."
    named = [(artist, label) for label, artist in entries.items()]
    style.below(figure, named, note, alarm=bool(failed))
    return figure


def _runs(history: Any) -> list[list[Mapping[str, float]]]:
    """Return the histories of all runs."""
    given = list(history.values()) if isinstance(history, Mapping) else list(history)
    runs = [given] if given and isinstance(given[0], Mapping) else [list(run) for run in given]
    if not runs or not all(runs):
        raise ValueError(
            "history is empty: the weights have a closed form, or there was no training step"
        )
    for run in runs:
        if not all(isinstance(entry, Mapping) and "step" in entry for entry in run):
            raise ValueError(
                'history must hold mappings of losses, each with its training step, "step"'
            )
    return runs


def _stages(run: Sequence[Mapping[str, float]]) -> list[float]:
    """Return after which steps losses come or go: a stage ended there, to within a report."""
    steps = [entry["step"] for entry in run]
    of_loss: dict[str, list[int]] = {}
    for i, entry in enumerate(run):
        for name in entry:
            of_loss.setdefault(name, []).append(i)
    last = len(run) - 1
    # A report may span the end of a stage: it then has the losses of both.
    ends = {places[-1] for places in of_loss.values() if places[-1] < last}
    starts = {places[0] - 1 for places in of_loss.values() if places[0]}
    return [float(steps[i]) for i in sorted(starts | {i for i in ends if i - 1 not in starts})]


def _panel(
    ax: Axes, runs: Sequence[Sequence[Mapping[str, float]]], name: str, i: int, style: Style
) -> dict[str, Artist]:
    """Draw one loss of all runs; return the signs that need a name."""
    colour = style.theme.colours[i % len(style.theme.colours)]
    curves = [_curve(run, name) for run in runs]
    signs: dict[str, Artist] = {}
    for steps, losses in curves:
        thin = len(runs) > 1
        (line,) = ax.plot(
            steps, losses, color=colour, linewidth=0.6 if thin else 1.2, alpha=0.55 if thin else 1
        )
        if thin:
            signs["one member"] = line
    if len(runs) > 1 and all(np.array_equal(steps, curves[0][0]) for steps, _ in curves):
        mean = np.mean([losses for _, losses in curves], axis=0)
        (signs["mean over the members"],) = ax.plot(curves[0][0], mean, color=colour, linewidth=1.6)
    signs |= _signs(ax, curves, name, style)
    _scale(ax, np.concatenate([losses for _, losses in curves]))
    return signs


def _curve(run: Sequence[Mapping[str, float]], name: str) -> tuple[Floats, Floats]:
    steps = np.array([entry["step"] for entry in run if name in entry], dtype=np.float64)
    return steps, np.array([entry[name] for entry in run if name in entry], dtype=np.float64)


def _signs(
    ax: Axes, curves: Sequence[tuple[Floats, Floats]], name: str, style: Style
) -> dict[str, Artist]:
    """Mark where a loss says that training failed."""
    signs: dict[str, Artist] = {}
    steps, losses = (np.concatenate(parts) for parts in zip(*curves, strict=True))
    # A critic's loss is a distance, which may well be 0.
    if "discriminator" in name and (near := np.abs(losses) < SEPARATES).any():
        (marks,) = ax.plot(
            steps[near], losses[near], "X", color=style.theme.alarm, markersize=4, clip_on=False
        )
        signs[f"discriminator loss below {SEPARATES:g}: nothing left to learn"] = marks
    for step in steps[~np.isfinite(losses)]:
        signs["loss is NaN or infinite"] = ax.axvline(step, color=style.theme.alarm, linewidth=1)
    return signs


def _scale(ax: Axes, losses: Floats) -> None:
    kept = losses[np.isfinite(losses)]
    if len(kept) and kept.min() > 0 and kept.max() > 50 * kept.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(numticks=4))
        ax.yaxis.set_minor_locator(NullLocator())
        return
    ax.yaxis.set_major_locator(MaxNLocator(3))
