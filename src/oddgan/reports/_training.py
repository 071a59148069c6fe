"""Training curves, with marks where training failed."""

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
    """Draw each loss over the training steps, and mark failures.

    Each loss has its own panel, since the scales differ. The axis is logarithmic if a loss is
    positive and varies by more than a factor of 50. Vertical lines mark the ends of training
    stages. For an ensemble each member is a thin line, and the mean over the members a thick one.

    Two failures are marked: discriminator losses below 0.001 (the discriminator separates real
    from generated samples perfectly, which leaves nothing to learn), and losses that are NaN or
    infinite. Failed health checks, for example a collapsed generator, are listed below the panels.

    Parameters
    ----------
    history : sequence of mapping
        ``detector.history_``: mean losses by name, each with its training step, "step". For several
        members or runs, a sequence of histories or a mapping from names to histories.
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
        There are no losses: the fit has a closed form, or there was no training step.
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
            rule = ax.axvline(end, color=style.theme.muted, linewidth=0.8, linestyle=":")
            entries["end of a stage"] = rule
        style.title(ax, f"{name} loss")
        style.dress(ax, grid="y")
    axes[-1].set_xlabel("training step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    note = "\n".join(f"{check.severity}: {check}" for check in failed)
    if checks and not failed:
        note = f"Checks of the fit: {len(checks)}, all passed."
    labels = [(artist, label) for label, artist in entries.items()]
    style.below(figure, labels, note, alarm=bool(failed))
    return figure


def _runs(history: Any) -> list[list[Mapping[str, float]]]:
    """Return the history of each run."""
    items = list(history.values()) if isinstance(history, Mapping) else list(history)
    runs = [items] if items and isinstance(items[0], Mapping) else [list(run) for run in items]
    if not runs or not all(runs):
        raise ValueError(
            "history is empty: the fit has a closed form, or there was no training step"
        )
    for run in runs:
        if not all(isinstance(entry, Mapping) and "step" in entry for entry in run):
            raise ValueError(
                'history must contain mappings of losses, each with its training step, "step"'
            )
    return runs


def _stages(run: Sequence[Mapping[str, float]]) -> list[float]:
    """Return the steps after which losses appear or disappear: the ends of stages."""
    steps = [entry["step"] for entry in run]
    entries_by_loss: dict[str, list[int]] = {}
    for i, entry in enumerate(run):
        for name in entry:
            entries_by_loss.setdefault(name, []).append(i)
    last = len(run) - 1
    # An entry that spans the end of a stage has the losses of both stages.
    ends = {indices[-1] for indices in entries_by_loss.values() if indices[-1] < last}
    starts = {indices[0] - 1 for indices in entries_by_loss.values() if indices[0]}
    return [float(steps[i]) for i in sorted(starts | {i for i in ends if i - 1 not in starts})]


def _panel(
    ax: Axes, runs: Sequence[Sequence[Mapping[str, float]]], name: str, i: int, style: Style
) -> dict[str, Artist]:
    """Draw one loss of all runs; return the artists for the legend by label."""
    colour = style.theme.colours[i % len(style.theme.colours)]
    curves = [_curve(run, name) for run in runs]
    marks: dict[str, Artist] = {}
    for steps, losses in curves:
        is_member = len(runs) > 1
        (line,) = ax.plot(
            steps,
            losses,
            color=colour,
            linewidth=0.6 if is_member else 1.2,
            alpha=0.55 if is_member else 1,
        )
        if is_member:
            marks["one member"] = line
    if len(runs) > 1 and all(np.array_equal(steps, curves[0][0]) for steps, _ in curves):
        mean = np.mean([losses for _, losses in curves], axis=0)
        (marks["mean over the members"],) = ax.plot(curves[0][0], mean, color=colour, linewidth=1.6)
    marks |= _mark_failures(ax, curves, name, style)
    _scale(ax, np.concatenate([losses for _, losses in curves]))
    return marks


def _curve(run: Sequence[Mapping[str, float]], name: str) -> tuple[Floats, Floats]:
    steps = np.array([entry["step"] for entry in run if name in entry], dtype=np.float64)
    return steps, np.array([entry[name] for entry in run if name in entry], dtype=np.float64)


def _mark_failures(
    ax: Axes, curves: Sequence[tuple[Floats, Floats]], name: str, style: Style
) -> dict[str, Artist]:
    """Mark the steps at which a loss shows that training failed."""
    marks: dict[str, Artist] = {}
    steps, losses = (np.concatenate(arrays) for arrays in zip(*curves, strict=True))
    # A critic's loss is a distance, for which 0 is valid.
    if "discriminator" in name and (saturated := np.abs(losses) < SEPARATES).any():
        (crosses,) = ax.plot(
            steps[saturated],
            losses[saturated],
            "X",
            color=style.theme.alarm,
            markersize=4,
            clip_on=False,
        )
        marks[f"discriminator loss below {SEPARATES:g}: nothing left to learn"] = crosses
    for step in steps[~np.isfinite(losses)]:
        marks["loss is NaN or infinite"] = ax.axvline(step, color=style.theme.alarm, linewidth=1)
    return marks


def _scale(ax: Axes, losses: Floats) -> None:
    finite_losses = losses[np.isfinite(losses)]
    if len(finite_losses) and 0 < 50 * finite_losses.min() < finite_losses.max():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(numticks=4))
        ax.yaxis.set_minor_locator(NullLocator())
        return
    ax.yaxis.set_major_locator(MaxNLocator(3))
