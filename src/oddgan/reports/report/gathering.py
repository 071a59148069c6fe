"""What a report is made of: the scores of all samples, and what is said of the few it shows."""

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
class Scored:
    """All samples of the data, scored.

    Attributes
    ----------
    source : inputs.Source
        The samples.
    places : ndarray of int64, shape (n,)
        Where each is in the source; image files that could not be read are gaps.
    names : list of str
        What each is called.
    scores, p_values : ndarray of shape (n,)
    labels : ndarray of bool, shape (n,), or None
        Which are anomalies, where that is known.
    """

    source: inputs.Source
    places: Rows
    names: list[str]
    scores: Floats
    p_values: Floats
    labels: Flags | None

    def subset(self, samples: Rows) -> inputs.Source:
        """Return these samples as a source, in the order of the data."""
        keep = np.zeros(self.source.count(), dtype=bool)
        keep[self.places[samples]] = True
        return inputs.Subset(self.source, keep)


@dataclass(eq=False)
class Shown:
    """One sample that the report shows.

    Attributes
    ----------
    name : str
    score, p_value : float
    flagged : bool
    anomalous : bool or None
    columns : DataFrame or None
        Of a table: the columns that contribute most, as `TableExplanation.to_frame` has them, with
        ``share``, the share of the contributions of all columns.
    n_columns : int
        How many columns there are.
    image, reconstruction : ndarray of uint8, (h, w) or (h, w, 3), or None
        Of an image: the sample, and what the model would have expected, as people look at them.
    anomaly_map : ndarray of shape (h, w), or None
    pictures : dict of str to str
        What is drawn of an image, as ``data:`` addresses by name.
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


def score(detector: Detector, source: inputs.Source, labels: ArrayLike | None) -> Scored:
    """Score every sample.

    Raises
    ------
    ValueError
        There is no sample, or the labels are not 0 or 1 for each.
    """
    chunks = list(detector.iter_outputs(source))
    if not chunks:
        raise ValueError("there is no sample to report on")
    rows = np.concatenate([index for index, _ in chunks])
    scores = np.concatenate([values for _, values in chunks])
    every = np.flatnonzero(source.keep) if isinstance(source, inputs.Subset) else None
    places = rows if every is None else np.searchsorted(every, rows)
    called = source.sample_names(rows)
    names = called if isinstance(called, list) else [f"row {row}" for row in called.tolist()]
    p_values = decisions.conformal_p_values(scores, detector.calibration_scores_)
    truth = None if labels is None else checked(labels, source.count())[places]
    return Scored(source, places, names, scores, p_values, truth)


def checked(labels: ArrayLike, n: int) -> Flags:
    """Return which samples are anomalies."""
    array = np.asarray(labels)
    if array.shape != (n,) or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"labels must be 0 (normal) or 1 (anomaly) for each of the {n} samples, not of shape "
            f"{array.shape}"
        )
    return array.astype(bool)


def oddest(scored: Scored, n: int) -> Rows:
    """Return the samples with the highest scores, highest first."""
    return np.argsort(-scored.scores, kind="stable")[:n]


def borderline(scored: Scored, threshold: float, n: int, but: Rows) -> Rows:
    """Return the samples nearest to the threshold, half of them on either side, if there are."""
    order = np.argsort(-scored.scores, kind="stable")
    order = order[~np.isin(order, but)]
    cut = int((scored.scores[order] > threshold).sum())
    above = min(cut, max(n // 2, n - (len(order) - cut)))
    return order[cut - above : cut - above + n]


def shown(detector: Detector, scored: Scored, samples: Rows, top: int) -> list[Shown]:
    """Return what there is to say of these samples, in their order.

    What the detector cannot answer is left out.
    """
    flagged = scored.scores > detector.threshold_
    found = {
        int(i): Shown(
            scored.names[i],
            float(scored.scores[i]),
            float(scored.p_values[i]),
            bool(flagged[i]),
            None if scored.labels is None else bool(scored.labels[i]),
        )
        for i in samples
    }
    in_order = [found[i] for i in sorted(found)]
    source = scored.subset(samples)
    if "explain" not in detector.unavailable:
        _explain(detector, source, in_order, top)
    if isinstance(detector.codec_, inputs.ImageCodec):
        _look(detector, detector.codec_, source, in_order)
    return [found[int(i)] for i in samples]


def _explain(detector: Detector, source: inputs.Source, samples: Sequence[Shown], top: int) -> None:
    at = 0
    for _, explanation in detector.iter_outputs(source, "explain"):
        part = samples[at : at + len(explanation)]
        at += len(explanation)
        if isinstance(explanation, TableExplanation):
            _add_columns(explanation, part, top)
        elif isinstance(explanation, ImageExplanation):
            for sample, one in zip(part, explanation.anomaly_map, strict=True):
                sample.anomaly_map = one


def _add_columns(explanation: TableExplanation, samples: Sequence[Shown], top: int) -> None:
    totals = explanation.contributions.sum(1)
    frame = explanation.to_frame(top)
    frame["share"] = frame["contribution"] / np.where(totals > 0, totals, 1)[frame["sample"]]
    for i, sample in enumerate(samples):
        sample.columns = frame[frame["sample"] == i]
        sample.n_columns = explanation.contributions.shape[1]


def _look(
    detector: Detector,
    codec: inputs.ImageCodec,
    source: inputs.Source,
    samples: Sequence[Shown],
) -> None:
    """Add the images, and what the detector would have expected instead."""
    images = [raw for _, raw in source.chunks(len(samples))]
    for sample, image in zip(
        samples, (one for raw in images for one in codec.for_display(raw)), strict=True
    ):
        sample.image = image
    if "reconstruct" in detector.unavailable:
        return
    chunks = (values for _, values in detector.iter_outputs(source, "reconstruct"))
    reconstructed = (one for values in chunks for one in codec.for_display(values))
    for sample, image in zip(samples, reconstructed, strict=True):
        sample.reconstruction = image
