"""The figures of a report, drawn for a light and for a dark page."""

import base64
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oddgan.detectors import Detector
from oddgan.evaluation import Metrics
from oddgan.reports._curves import precision_recall_curves, roc_curves
from oddgan.reports._latent import latent_map
from oddgan.reports._style import THEMES, Theme
from oddgan.reports._training import training_curves

from .gathering import Scored
from .words import figure

#: A figure whose SVG is longer is drawn in pixels.
_LONGEST, _DPI = 120_000, 170
#: Samples on the map of the latents, and as many as are searched for where that takes long.
_ON_MAP, _ON_MAP_SEARCHED = 600, 64


@dataclass(frozen=True)
class Drawing:
    """A figure in a page.

    Attributes
    ----------
    title : str
    light, dark : str
        The figure as ``data:`` addresses.
    said : str
        What it shows, for who does not see it.
    note : str
        What belongs below it.
    """

    title: str
    light: str
    dark: str
    said: str
    note: str = ""


def drawing(
    title: str, said: str, make: Callable[..., Figure], *what: Any, note: str = ""
) -> Drawing:
    """Draw a figure of `oddgan.reports` for both themes."""
    light = make(*what, theme="light", background="none")
    text = _svg(light)
    if len(text) <= _LONGEST:
        return Drawing(title, _address(text), _address(_darkened(text)), said, note)
    dark = make(*what, theme="dark", background="none")
    return Drawing(title, _address(_png(light), "png"), _address(_png(dark), "png"), said, note)


def _svg(made: Figure) -> bytes:
    # Without a date and with ids by a fixed salt the same figure gives the same text.
    with mpl.rc_context({"svg.hashsalt": "oddgan", "svg.fonttype": "path"}):
        held = io.BytesIO()
        unsaid = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        made.savefig(held, format="svg", metadata=unsaid)
    text = held.getvalue()
    return text[text.index(b"<svg") :]  # the document type before it names a host


def _darkened(svg: bytes) -> bytes:
    """Return a figure of the light theme in the colours of the dark one.

    Drawing it anew would take as long again, and t-SNE takes seconds.
    """
    colours = dict(zip(_colours(THEMES["light"]), _colours(THEMES["dark"]), strict=True))
    pattern = re.compile("|".join(colours).encode())
    return pattern.sub(lambda match: colours[match[0].decode()].encode(), svg)


def _colours(theme: Theme) -> list[str]:
    one = (
        theme.background,
        theme.text,
        theme.muted,
        theme.grid,
        theme.normal,
        theme.anomalous,
        theme.alarm,
    )
    return [*theme.colours, *one]


def _png(made: Figure) -> bytes:
    held = io.BytesIO()
    made.savefig(held, format="png", dpi=_DPI)
    return held.getvalue()


def _address(content: bytes, kind: str = "svg+xml") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def curves(scored: Scored, metrics: Metrics, name: str) -> list[Drawing]:
    """Draw the ROC and the precision-recall curve of labelled samples."""
    labels, scores = scored.labels, {name: scored.scores}
    return [
        drawing(
            "ROC curve",
            f"ROC curve of {name}: area {figure(metrics.auroc)}.",
            roc_curves,
            labels,
            scores,
            note="How many anomalies are found for each share of normal samples flagged. "
            "Without information the curve is the diagonal.",
        ),
        drawing(
            "Precision and recall",
            f"Precision-recall curve of {name}: average precision "
            f"{figure(metrics.average_precision)}, prevalence {figure(metrics.prevalence)}.",
            precision_recall_curves,
            labels,
            scores,
            note="Which share of the flagged is anomalous, for each share of anomalies found. "
            "Without information the precision is the prevalence.",
        ),
    ]


def training(detector: Detector) -> list[Drawing]:
    """Draw the losses of what trained in steps."""
    if not detector.history_:
        return []
    names = [name for name in detector.history_[0] if name != "step"]
    of_members = [member.history_ for member in detector.members_]
    return [
        drawing(
            "Training",
            f"Losses over {int(detector.history_[-1]['step']):,} training steps: "
            f"{', '.join(names)}.",
            training_curves,
            of_members if of_members and all(of_members) else detector.history_,
            note="What training lowered, step by step.",
        )
    ]


def latents(detector: Detector, scored: Scored) -> list[Drawing]:
    """Draw how samples lie in latent space, the oddest and others at random."""
    if "embed" in detector.unavailable:
        return []
    chosen = _some(scored, _ON_MAP_SEARCHED if detector._searches else _ON_MAP)
    if len(chosen) < 8:
        return []
    chunks = [values for _, values in detector.iter_outputs(scored.subset(chosen), "embed")]
    return [
        drawing(
            "Latent space",
            f"t-SNE of the latent vectors of {len(chosen):,} samples, by {_grouped(scored)}.",
            latent_map,
            np.concatenate(chunks),
            _groups(scored, chosen, detector.threshold_),
            note=f"{len(chosen):,} of {len(scored.scores):,} samples"
            f"{', drawn at random' if len(chosen) < len(scored.scores) else ''}.",
        )
    ]


def _grouped(scored: Scored) -> str:
    return "whether they are flagged" if scored.labels is None else "their label"


def _groups(scored: Scored, chosen: NDArray[np.int64], threshold: float) -> Any:
    if scored.labels is not None:
        values, names = scored.labels[chosen], ["normal", "anomalous"]
    else:
        values, names = scored.scores[chosen] > threshold, ["not flagged", "flagged"]
    # The order of the categories is that of the colours.
    return pd.Categorical(np.take(names, values.astype(int)), categories=names)


def _some(scored: Scored, most: int) -> NDArray[np.int64]:
    """Return samples drawn at random, in the order of the data."""
    n = len(scored.scores)
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))
