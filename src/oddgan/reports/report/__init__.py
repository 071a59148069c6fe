"""The report: what a model says of some data, as one HTML file that can be mailed."""

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

from . import about, drawn, pictures, words
from .axis import Axis, histogram
from .gathering import Scored, borderline, oddest, score, shown
from .steps import Steps

#: Samples that a report may show, at most, and columns of each.
_MOST_SHOWN, _TOP = 60, 5


@dataclass(frozen=True)
class Origin:
    """What a report says of where its data came from.

    Attributes
    ----------
    data : str or None
        What the data is called; by default what it looks like.
    identity : str or None
        A digest of it; by default that of the file, or of the samples.
    split : str or None
        Which samples of the data these are.
    model : str or None
        The name of the model's file.
    command : str or None
        The command that wrote the report.
    trained : bool
        Whether some of these samples trained the model.
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
    """Write what a fitted detector says of some data as one HTML file.

    The file needs no other file and no network, and has less than 5 MB however large the data
    is. Its reader moves the threshold and sees at once how many samples would be flagged, and with
    labels the precision, the recall and the cost. It is readable on a phone and on paper, in light
    and in dark, with a keyboard and with a screen reader.

    Parameters
    ----------
    detector : Detector
        Fitted.
    data : as in `Detector.anomaly_score`, or inputs.Source
        At least one sample. Every sample is scored; only the scores are kept in memory.
    path : path-like
        The HTML file; it is replaced if it is there.
    labels : array-like of shape (n,), optional
        1 for anomalies, 0 for normal samples. With both, the report has precision, recall, cost,
        and the ROC and the precision-recall curve.
    condition : as in `fit`, optional
        The known context of the samples.
    n_oddest, n_borderline : int
        How many of the oddest samples are shown, and of those nearest to the threshold; 60 in all
        at most.
    title : str, optional
        The heading of the report.
    origin : Origin, optional
        What the report says of where its data came from, beyond what is seen of it.
    beside : mapping of str to Metrics, optional
        What other detectors reach on the same samples.

    Returns
    -------
    Path
        Where the report is.

    Raises
    ------
    ValueError
        There is no sample, labels are not 0 or 1 for each, or too many samples are to be shown.

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
    if min(n_oddest, n_borderline) < 0 or n_oddest + n_borderline > _MOST_SHOWN:
        raise ValueError(
            f"a report shows 0 to {_MOST_SHOWN} samples in all, not {n_oddest} oddest and "
            f"{n_borderline} borderline ones"
        )
    _check_score(detector)
    source = detector.source(data, condition=condition)
    scored = score(detector, source, labels)
    origin = origin or Origin()
    content = {
        "title": title or f"{type(detector).__name__} on {origin.data or about.sample_names(data)}",
        **_threshold(detector, scored),
        **_samples(detector, scored, n_oddest, n_borderline),
        **_figures(detector, scored),
        "headline": _headline(detector, scored, origin),
        "beside": beside or {},
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
    """Refuse a score that is not the one the threshold is of."""
    now, before = detector.score_name, detector.fitted_params_["score_name"]
    plain = [list(score) if isinstance(score, tuple) else score for score in (now, before)]
    if plain[0] != plain[1]:
        raise ValueError(
            f"the threshold is that of score_name={before!r}, and score_name is {now!r} now: "
            "fit again"
        )


def _headline(detector: Detector, scored: Scored, origin: Origin) -> list[str]:
    """Return what is to be known first, in sentences."""
    flagged, n = scored.scores > detector.threshold_, len(scored.scores)
    n_flagged = int(flagged.sum())
    fpr, n_held_out = detector.fitted_params_["target_fpr"], len(detector.calibration_scores_)
    sentence = words.flagged(n_flagged, n)
    if scored.labels is None:
        promised = fpr if n_held_out >= decisions.smallest_sample(fpr) else 1 / (n_held_out + 1)
        sentence += f" {words.by_chance(promised, n, n_flagged)}"
    elif scored.labels.any():
        n_found = int((flagged & scored.labels).sum())
        sentence += f" {words.found(n_found, int(scored.labels.sum()), n_flagged)}"
    sentences = [sentence, words.promise(fpr, n_held_out), words.fit(detector.health_checks_)]
    if origin.trained:
        sentences.append(
            "Some of these samples trained the model. Such samples score lower than new ones, so "
            "that fewer of them are flagged than the threshold promises."
        )
    return sentences


def _threshold(detector: Detector, scored: Scored) -> dict[str, Any]:
    """Return what it takes to move the threshold."""
    scores, labels, held_out = scored.scores, scored.labels, detector.calibration_scores_
    steps = Steps.of(scores, labels, held_out, detector.threshold_)
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
        "marker": float(axis.positions(np.array([detector.threshold_]))[0]),
        "n_anomalous": None if labels is None else int(labels.sum()),
        "at": steps.at(detector.threshold_),
        "threshold": float(detector.threshold_),
        "scores": {
            **steps.packed(),
            "axis": axis.as_dict(),
            "threshold": float(detector.threshold_),
            "n": len(scores),
            "nAnomalous": None if labels is None else int(labels.sum()),
            "nHeldOut": len(held_out),
        },
    }


def _samples(
    detector: Detector, scored: Scored, n_oddest: int, n_borderline: int
) -> dict[str, Any]:
    """Return the samples that are shown, with what is said of each."""
    first = oddest(scored, n_oddest)
    second = borderline(scored, detector.threshold_, n_borderline, first)
    samples = shown(detector, scored, np.concatenate([first, second]), _TOP)
    threshold = getattr(detector, "pixel_threshold_", None)
    brightest = pictures.draw(samples, threshold)
    return {
        "oddest": samples[: len(first)],
        "borderline": samples[len(first) :],
        "kind": scored.source.kind,
        "brightest": brightest,
        "pixel_threshold": threshold if pictures.has_outlines(samples) else None,
        "expects": any(
            one.columns is not None and one.columns["expected"].notna().any() for one in samples
        ),
        "unexplained": detector.unavailable.get("explain"),
    }


def _figures(detector: Detector, scored: Scored) -> dict[str, Any]:
    """Return the figures, and what is measured with labels of both classes."""
    labels, metrics, curves = scored.labels, None, []
    if labels is not None and 0 < labels.sum() < len(labels):
        metrics = evaluation.evaluate_scores(labels, scored.scores, threshold=detector.threshold_)
        curves = drawn.curves(scored, metrics, type(detector).__name__)
    return {
        "metrics": metrics,
        "curves": curves,
        "inside": [*drawn.training(detector), *drawn.latents(detector, scored)],
    }


def _facts(
    detector: Detector, scored: Scored, data: Any, origin: Origin
) -> list[tuple[str, about.Facts]]:
    name = origin.data or about.sample_names(data)
    identity = origin.identity or about.identity(data, scored.source)
    return [
        ("Data", about.of_data(scored, name, identity, origin.split)),
        ("Model", about.of_model(detector, origin.model)),
        ("Versions", about.of_versions(detector)),
    ]
