"""The samples of a report: scores of all of them, and details of the few that it shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from oddgan import decisions, inputs
from oddgan.detectors import Detector, ImageExplanation, TableExplanation

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoredSamples:
    """The scores of all samples.

    Attributes
    ----------
    source : inputs.Source
        The samples.
    positions : ndarray of int64, shape (n,)
        Position of each sample in the source; unreadable image files leave gaps.
    names : list of str
        Name of each sample.
    scores, p_values : ndarray of shape (n,)
    labels : ndarray of bool, shape (n,), or None
        Whether each sample is an anomaly; None without labels.
    """

    source: inputs.Source
    positions: Rows
    names: list[str]
    scores: Floats
    p_values: Floats
    labels: Flags | None

    def subset(self, samples: Rows) -> inputs.Source:
        """Return these samples as a source, in the order of the data."""
        keep = np.zeros(self.source.count(), dtype=bool)
        keep[self.positions[samples]] = True
        return inputs.Subset(self.source, keep)


@dataclass(eq=False)
class ReportedSample:
    """A sample that the report shows in detail.

    Attributes
    ----------
    name : str
    score, p_value : float
    flagged : bool
    anomalous : bool or None
    columns : DataFrame or None
        For tables: the columns that contribute most, as in `TableExplanation.to_frame`, with
        ``share``, their share of the contributions of all columns.
    n_columns : int
        Number of all columns.
    image, reconstruction : ndarray of uint8, (h, w) or (h, w, 3), or None
        For images: the sample and its reconstruction, in displayable form.
    anomaly_map : ndarray of shape (h, w), or None
    pictures : dict of str to str
        For images: pictures as ``data:`` addresses, by name.
    """

    name: str
    score: float
    p_value: float
    flagged: bool
    anomalous: bool | None
    columns: pd.DataFrame | None = None
    n_columns: int = 0
    image: NDArray[Any] | None = None
    reconstruction: NDArray[Any] | None = None
    anomaly_map: NDArray[Any] | None = None
    pictures: dict[str, str] = field(default_factory=dict)


def score(detector: Detector, source: inputs.Source, labels: ArrayLike | None) -> ScoredSamples:
    """Score every sample.

    Raises
    ------
    ValueError
        There are no samples, or the labels are not 0 or 1 for each.
    """
    chunks = list(detector.iter_outputs(source))
    if not chunks:
        raise ValueError("there are no samples to report on")
    rows = np.concatenate([index for index, _ in chunks])
    scores = np.concatenate([values for _, values in chunks])
    selected = np.flatnonzero(source.keep) if isinstance(source, inputs.Subset) else None
    positions = rows if selected is None else np.searchsorted(selected, rows)
    given_names = source.sample_names(rows)
    names = (
        given_names
        if isinstance(given_names, list)
        else [f"row {row}" for row in given_names.tolist()]
    )
    p_values = decisions.conformal_p_values(scores, detector.calibration_scores_)
    truth = None if labels is None else anomaly_flags(labels, source.count())[positions]
    return ScoredSamples(source, positions, names, scores, p_values, truth)


def anomaly_flags(labels: ArrayLike, n: int) -> Flags:
    """Check labels and return them as flags."""
    array = np.asarray(labels)
    if array.shape != (n,) or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"labels must be 0 (normal) or 1 (anomaly) for each of the {n} samples, not of shape "
            f"{array.shape}"
        )
    return array.astype(bool)


def oddest(scored: ScoredSamples, n: int) -> Rows:
    """Return the samples with the highest scores, highest first."""
    return np.argsort(-scored.scores, kind="stable")[:n]


def borderline(scored: ScoredSamples, threshold: float, n: int, excluded: Rows) -> Rows:
    """Return the samples nearest to the threshold, half of them on each side if possible."""
    order = np.argsort(-scored.scores, kind="stable")
    order = order[~np.isin(order, excluded)]
    n_above = int((scored.scores[order] > threshold).sum())
    start = n_above - min(n_above, max(n // 2, n - (len(order) - n_above)))
    return order[start : start + n]


def describe(
    detector: Detector, scored: ScoredSamples, samples: Rows, top: int
) -> list[ReportedSample]:
    """Return the details of these samples, in their order.

    Outputs that the detector does not have are left out.
    """
    flagged = scored.scores > detector.threshold_
    by_row = {
        int(i): ReportedSample(
            scored.names[i],
            float(scored.scores[i]),
            float(scored.p_values[i]),
            bool(flagged[i]),
            None if scored.labels is None else bool(scored.labels[i]),
        )
        for i in samples
    }
    in_order = [by_row[i] for i in sorted(by_row)]
    source = scored.subset(samples)
    if "explain" not in detector.unavailable:
        _add_explanations(detector, source, in_order, top)
    if isinstance(detector.codec_, inputs.ImageCodec):
        _add_images(detector, detector.codec_, source, in_order)
    return [by_row[int(i)] for i in samples]


def _add_explanations(
    detector: Detector, source: inputs.Source, samples: Sequence[ReportedSample], top: int
) -> None:
    start = 0
    for _, explanation in detector.iter_outputs(source, "explain"):
        explained = samples[start : start + len(explanation)]
        start += len(explanation)
        if isinstance(explanation, TableExplanation):
            _add_columns(explanation, explained, top)
        elif isinstance(explanation, ImageExplanation):
            for sample, anomaly_map in zip(explained, explanation.anomaly_map, strict=True):
                sample.anomaly_map = anomaly_map


def _add_columns(
    explanation: TableExplanation, samples: Sequence[ReportedSample], top: int
) -> None:
    totals = explanation.contributions.sum(1)
    frame = explanation.to_frame(top)
    frame["share"] = frame["contribution"] / np.where(totals > 0, totals, 1)[frame["sample"]]
    for i, sample in enumerate(samples):
        sample.columns = frame[frame["sample"] == i]
        sample.n_columns = explanation.contributions.shape[1]


def _add_images(
    detector: Detector,
    codec: inputs.ImageCodec,
    source: inputs.Source,
    samples: Sequence[ReportedSample],
) -> None:
    """Add the images and their reconstructions."""
    chunks = [raw for _, raw in source.chunks(len(samples))]
    images = (image for raw in chunks for image in codec.for_display(raw))
    for sample, image in zip(samples, images, strict=True):
        sample.image = image
    if "reconstruct" in detector.unavailable:
        return
    outputs = (values for _, values in detector.iter_outputs(source, "reconstruct"))
    reconstructions = (image for values in outputs for image in codec.for_display(values))
    for sample, reconstruction in zip(samples, reconstructions, strict=True):
        sample.reconstruction = reconstruction
