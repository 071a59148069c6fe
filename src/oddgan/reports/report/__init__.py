"""The report: the results of a model on some data, as one HTML file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from oddgan import decisions, evaluation, pages
from oddgan.detectors import Detector

from . import about, figures, pictures, words
from .axis import Axis, histogram
from .samples import ScoredSamples, borderline, describe, oddest, score
from .steps import Steps

#: Largest number of samples in a report, and of columns of each.
_MAX_SAMPLES, _MAX_COLUMNS = 60, 5


@dataclass(frozen=True)
class Origin:
    """The origin of the data of a report.

    Attributes
    ----------
    data : str or None
        Name of the data; by default its type and shape, or the file name.
    identity : str or None
        Digest of the data; by default computed from the file or the samples.
    split : str or None
        Description of the split that the samples are from.
    model : str or None
        Name of the model file.
    command : str or None
        The command that wrote the report.
    trained : bool
        Whether some of these samples were used for training.
    """

    data: str | None = None
    identity: str | None = None
    split: str | None = None
    model: str | None = None
    command: str | None = None
    trained: bool = False


def write_report(
    detector: Detector,
    data: Any,
    path: str | PathLike[str],
    labels: ArrayLike | None = None,
    *,
    condition: Any = None,
    n_oddest: int = 12,
    n_borderline: int = 6,
    title: str | None = None,
    origin: Origin | None = None,
    beside: Mapping[str, evaluation.Metrics] | None = None,
) -> Path:
    """Write the results of a fitted detector on some data as one HTML file.

    The file needs no other file and no network, and stays below 5 MB however large the data is.
    Readers can move the threshold and see at once how many samples would be flagged, and with
    labels the precision, the recall and the cost. The report works on phones and on paper, in
    light and dark, with a keyboard and with a screen reader.

    Parameters
    ----------
    detector : Detector
        A fitted detector.
    data : as in `Detector.anomaly_score`, or inputs.Source
        At least one sample. All samples are scored; only the scores stay in memory.
    path : path-like
        The HTML file; an existing file is replaced.
    labels : array-like of shape (n,), optional
        1 for anomalies, 0 for normal samples. With both, the report includes precision, recall,
        cost, the ROC curve and the precision-recall curve.
    condition : as in `fit`, optional
        The condition of the samples.
    n_oddest, n_borderline : int
        Number of samples shown with the highest scores, and nearest to the threshold; at most 60
        in all.
    title : str, optional
        The heading of the report.
    origin : Origin, optional
        The origin of the data, beyond what the data itself shows.
    beside : mapping of str to Metrics, optional
        Metrics of other detectors on the same samples.

    Returns
    -------
    Path
        The path of the report.

    Raises
    ------
    ValueError
        There are no samples, labels are not 0 or 1 for each, or too many samples are requested.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from oddgan import PCAReconstruction, reports
    >>> rows = np.random.default_rng(0).normal(size=(300, 2)) @ [[2, 1, 0, 0], [0, 0, 1, 2]]
    >>> detector = PCAReconstruction(health=False, random_state=0).fit(rows[:200])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = reports.write_report(detector, rows[200:], f"{folder}/report.html")
    ...     "100 samples" in path.read_text(encoding="utf-8")
    True
    """
    check_is_fitted(detector)
    if min(n_oddest, n_borderline) < 0 or n_oddest + n_borderline > _MAX_SAMPLES:
        raise ValueError(
            f"a report shows 0 to {_MAX_SAMPLES} samples in all, not n_oddest={n_oddest} and "
            f"n_borderline={n_borderline}"
        )
    _check_score(detector)
    source = detector.source(data, condition=condition)
    scored = score(detector, source, labels)
    origin = origin or Origin()
    content = {
        "title": title or f"{type(detector).__name__} on {origin.data or about.data_name(data)}",
        **_threshold(detector, scored),
        **_samples(detector, scored, n_oddest, n_borderline),
        **_figures(detector, scored),
        "headline": _headline(detector, scored, origin),
        "other_metrics": beside or {},
        "checks": sorted(detector.health_checks_, key=lambda check: check.passed),
        "facts": _facts(detector, scored, data, origin),
        "command": origin.command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "words": words,
    }
    target = Path(path)
    unfinished = target.with_name(target.name + ".part")
    unfinished.write_text(pages.render(__name__, "page.html.j2", **content), encoding="utf-8")
    unfinished.replace(target)
    return target


def _check_score(detector: Detector) -> None:
    """Raise an error if `score_name` changed after the threshold was fitted."""
    current, at_fit = detector.score_name, detector.fitted_params_["score_name"]
    names = [list(score) if isinstance(score, tuple) else score for score in (current, at_fit)]
    if names[0] != names[1]:
        raise ValueError(
            f"score_name is {current!r}, but the threshold was fitted with score_name={at_fit!r}: "
            "fit again"
        )


def _headline(detector: Detector, scored: ScoredSamples, origin: Origin) -> list[str]:
    """Return the main results in sentences."""
    flagged, n = scored.scores > detector.threshold_, len(scored.scores)
    n_flagged = int(flagged.sum())
    fpr, n_held_out = detector.fitted_params_["target_fpr"], len(detector.calibration_scores_)
    sentence = words.flagged_count(n_flagged, n)
    if scored.labels is None:
        if n_held_out >= decisions.smallest_sample(fpr):
            sentence += f" {words.expected_by_chance(fpr, n, n_flagged)}"
    elif scored.labels.any():
        n_detected = int((flagged & scored.labels).sum())
        sentence += f" {words.detected_anomalies(n_detected, int(scored.labels.sum()), n_flagged)}"
    sentences = [
        sentence,
        words.promise(fpr, n_held_out),
        words.fit_verdict(detector.health_checks_),
    ]
    if origin.trained:
        sentences.append(
            "Some of these samples were used for training. They score lower than new samples, so "
            "fewer of them are flagged than the threshold promises."
        )
    return sentences


def _threshold(detector: Detector, scored: ScoredSamples) -> dict[str, Any]:
    """Return the content of the threshold section."""
    scores, labels, held_out = scored.scores, scored.labels, detector.calibration_scores_
    # Where nothing is flagged the page starts above all scores, where it could move to.
    threshold = min(detector.threshold_, max(scores.max(), held_out.max()))
    steps = Steps.of(scores, labels, held_out, threshold)
    axis = Axis.of(scores, held_out)
    groups = {"all samples": scores}
    if labels is not None and 0 < labels.sum() < len(labels):
        groups = {"normal": scores[~labels], "anomalous": scores[labels]}
    outlines, highest = histogram(axis, {**groups, "held-out normal samples": held_out})
    return {
        "steps": steps,
        "axis": axis,
        "outlines": outlines,
        "highest": highest,
        "marker": float(axis.positions(np.array([threshold]))[0]),
        "n_anomalous": None if labels is None else int(labels.sum()),
        "at": steps.at(threshold),
        "threshold": float(threshold),
        "scores": {
            **steps.packed(),
            "axis": axis.as_dict(),
            "threshold": float(threshold),
            "n": len(scores),
            "nAnomalous": None if labels is None else int(labels.sum()),
            "nHeldOut": len(held_out),
        },
    }


def _samples(
    detector: Detector, scored: ScoredSamples, n_oddest: int, n_borderline: int
) -> dict[str, Any]:
    """Return the content of the sections on single samples."""
    highest = oddest(scored, n_oddest)
    nearest = borderline(scored, detector.threshold_, n_borderline, highest)
    samples = describe(detector, scored, np.concatenate([highest, nearest]), _MAX_COLUMNS)
    threshold = getattr(detector, "pixel_threshold_", None)
    brightest = pictures.embed_pictures(samples, threshold)
    return {
        "oddest": samples[: len(highest)],
        "borderline": samples[len(highest) :],
        "kind": scored.source.kind,
        "brightest": brightest,
        "pixel_threshold": threshold if pictures.has_outlines(samples) else None,
        "has_expected": any(
            sample.columns is not None and sample.columns["expected"].notna().any()
            for sample in samples
        ),
        "no_explanation": detector.unavailable.get("explain"),
    }


def _figures(detector: Detector, scored: ScoredSamples) -> dict[str, Any]:
    """Return the figures, and the metrics if labels of both classes exist."""
    labels, metrics, curves = scored.labels, None, []
    if labels is not None and 0 < labels.sum() < len(labels):
        metrics = evaluation.evaluate_scores(labels, scored.scores, threshold=detector.threshold_)
        curves = figures.curves(scored, metrics, type(detector).__name__)
    return {
        "metrics": metrics,
        "curves": curves,
        "model_figures": [*figures.training(detector), *figures.latents(detector, scored)],
    }


def _facts(
    detector: Detector, scored: ScoredSamples, data: Any, origin: Origin
) -> list[tuple[str, about.Facts]]:
    name = origin.data or about.data_name(data)
    identity = origin.identity or about.identity(data, scored.source)
    return [
        ("Data", about.data_facts(scored, name, identity, origin.split)),
        ("Model", about.model_facts(detector, origin.model)),
        ("Versions", about.version_facts(detector)),
    ]
