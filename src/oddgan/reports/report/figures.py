"""The figures of a report, for light and dark pages."""

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

from .samples import ScoredSamples
from .words import figure

#: Figures with a longer SVG are drawn as PNG.
_MAX_SVG, _DPI = 120_000, 170
#: Samples on the latent map, and samples for detectors that search for each latent vector.
_ON_MAP, _ON_MAP_SEARCHED = 600, 64


@dataclass(frozen=True)
class Drawing:
    """A figure of a page.

    Attributes
    ----------
    title : str
    light, dark : str
        The figure as ``data:`` addresses.
    alt_text : str
        Description for screen readers.
    note : str
        Caption below the figure.
    """

    title: str
    light: str
    dark: str
    alt_text: str
    note: str = ""


def drawing(
    title: str, alt_text: str, plot: Callable[..., Figure], *arguments: Any, note: str = ""
) -> Drawing:
    """Draw a figure of `oddgan.reports` in both themes."""
    light = plot(*arguments, theme="light", background="none")
    text = _svg(light)
    if len(text) <= _MAX_SVG:
        return Drawing(title, _address(text), _address(_darkened(text)), alt_text, note)
    dark = plot(*arguments, theme="dark", background="none")
    return Drawing(title, _address(_png(light), "png"), _address(_png(dark), "png"), alt_text, note)


def _svg(figure: Figure) -> bytes:
    # Without a date and with a fixed salt for ids, equal figures give equal text.
    with mpl.rc_context({"svg.hashsalt": "oddgan", "svg.fonttype": "path"}):
        buffer = io.BytesIO()
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=no_metadata)
    text = buffer.getvalue()
    return text[text.index(b"<svg") :]  # without the document type, which contains a URL


def _darkened(svg: bytes) -> bytes:
    """Replace the colours of the light theme by those of the dark theme.

    This avoids drawing the figure twice; t-SNE takes seconds.
    """
    colours = dict(zip(_colours(THEMES["light"]), _colours(THEMES["dark"]), strict=True))
    pattern = re.compile("|".join(colours).encode())
    return pattern.sub(lambda match: colours[match[0].decode()].encode(), svg)


def _colours(theme: Theme) -> list[str]:
    roles = (
        theme.background,
        theme.text,
        theme.muted,
        theme.grid,
        theme.normal,
        theme.anomalous,
        theme.alarm,
    )
    return [*theme.colours, *roles]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _address(content: bytes, kind: str = "svg+xml") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def curves(scored: ScoredSamples, metrics: Metrics, name: str) -> list[Drawing]:
    """Draw the ROC and the precision-recall curve of labelled samples."""
    labels, scores = scored.labels, {name: scored.scores}
    return [
        drawing(
            "ROC curve",
            f"ROC curve of {name}: area {figure(metrics.auroc)}.",
            roc_curves,
            labels,
            scores,
            note="Share of the anomalies detected for each share of normal samples flagged. "
            "The diagonal is chance level.",
        ),
        drawing(
            "Precision and recall",
            f"Precision-recall curve of {name}: average precision "
            f"{figure(metrics.average_precision)}, prevalence {figure(metrics.prevalence)}.",
            precision_recall_curves,
            labels,
            scores,
            note="Share of the flagged samples that are anomalous, for each share of the anomalies "
            "detected. The prevalence is chance level.",
        ),
    ]


def training(detector: Detector) -> list[Drawing]:
    """Draw the losses of a detector that trained in steps."""
    if not detector.history_:
        return []
    names = [name for name in detector.history_[0] if name != "step"]
    histories = [member.history_ for member in detector.members_]
    return [
        drawing(
            "Training",
            f"Losses over {int(detector.history_[-1]['step']):,} training steps: "
            f"{', '.join(names)}.",
            training_curves,
            histories if histories and all(histories) else detector.history_,
            note="The losses at each training step.",
        )
    ]


def latents(detector: Detector, scored: ScoredSamples) -> list[Drawing]:
    """Draw a map of the latent vectors of random samples."""
    if "embed" in detector.unavailable:
        return []
    sample = _random_rows(scored, _ON_MAP_SEARCHED if detector._searches else _ON_MAP)
    if len(sample) < 8:
        return []
    chunks = [values for _, values in detector.iter_outputs(scored.subset(sample), "embed")]
    return [
        drawing(
            "Latent space",
            f"t-SNE of the latent vectors of {len(sample):,} samples by {_grouping(scored)}.",
            latent_map,
            np.concatenate(chunks),
            _groups(scored, sample, detector.threshold_),
            note=f"{len(sample):,} of {len(scored.scores):,} samples"
            f"{', chosen at random' if len(sample) < len(scored.scores) else ''}.",
        )
    ]


def _grouping(scored: ScoredSamples) -> str:
    return "decision" if scored.labels is None else "label"


def _groups(scored: ScoredSamples, sample: NDArray[np.int64], threshold: float) -> Any:
    if scored.labels is not None:
        values, names = scored.labels[sample], ["normal", "anomalous"]
    else:
        values, names = scored.scores[sample] > threshold, ["not flagged", "flagged"]
    # The order of the categories sets their colours.
    return pd.Categorical(np.take(names, values.astype(int)), categories=names)


def _random_rows(scored: ScoredSamples, limit: int) -> NDArray[np.int64]:
    """Return at most `limit` random samples, in the order of the data."""
    n = len(scored.scores)
    if n <= limit:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, limit, replace=False))
