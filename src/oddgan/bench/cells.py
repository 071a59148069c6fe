"""One cell of an experiment: load, split, train, score, measure."""

import importlib.metadata
import platform
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from oddgan import detectors
from oddgan.datasets import Dataset
from oddgan.detectors import Detector
from oddgan.estimator import parse_score_name, score_to_fit
from oddgan.evaluation.baselines import run_baselines
from oddgan.evaluation.intervals import bootstrap_intervals
from oddgan.evaluation.maps import evaluate_maps
from oddgan.evaluation.metrics import evaluate_scores
from oddgan.evaluation.promises import evaluate_promises
from oddgan.evaluation.protocols import Split, from_dict
from oddgan.evaluation.third_party import run_third_party

from .data import open_data, rows
from .faults import Fault, Scores, faults_named
from .spec import row_title

#: Packages whose versions can change results.
_VERSIONS = ("oddgan", "torch", "scikit-learn", "numpy", "scipy", "pandas")


@dataclass(frozen=True)
class _Measured:
    """Test scores and threshold by score name, times in seconds, and what else was measured."""

    scores: dict[str, tuple[Scores, float | None]]
    fit_seconds: float | None
    score_seconds: float
    maps: npt.NDArray[Any] | None = None
    calibration: Scores | None = None
    provenance: str | None = None
    device: str = "cpu"


def run_cell(definition: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Scores]]:
    """Measure one cell.

    Parameters
    ----------
    definition : dict
        As `Cell.definition` gives it.

    Returns
    -------
    result : dict
        Plain values: ``rows`` (one per score, with ``metrics`` and bootstrap ``intervals``),
        ``statement`` of the protocol, times in seconds, ``peak_mib``, ``versions``, ``when``.
    scores : dict of str to array of shape (n_test,)
        By score name, as in ``rows``.
    """
    task, method, seed = definition["task"], definition["method"], definition["seed"]
    faults = faults_named(definition["faults"])
    dataset = open_data(task["data"], task["load"])
    protocol = from_dict(task["protocol"])
    split = protocol.split(dataset).limited(**task["limits"])
    for fault in faults:
        split = fault.split(dataset, split, protocol, seed)
    _restart_peak()
    if method["kind"] == "detector":
        measured = _run_detector(dataset, split, method, seed, faults)
    else:
        measured = _run_other(dataset, split, method, seed)
    result = {
        "rows": [
            _row(dataset, split, method, score, scored, measured)
            for score, scored in measured.scores.items()
        ],
        "statement": split.statement(protocol),
        "fit_seconds": measured.fit_seconds,
        "score_seconds": measured.score_seconds,
        "peak_mib": _peak_mib(),
        "versions": _versions(),
        "threads": torch.get_num_threads(),
        "device": measured.device,
        "when": datetime.now(UTC).date().isoformat(),
        "told": measured.provenance,
    }
    return result, {score: values for score, (values, _) in measured.scores.items()}


def _run_detector(
    dataset: Dataset,
    split: Split,
    method: dict[str, Any],
    seed: int,
    faults: Sequence[Fault],
) -> _Measured:
    """Train once, then compute each score of the method."""
    cls = detectors.all_detectors()[method["name"]]
    params = method["params"]
    for fault in faults:
        params = fault.params(params, cls)
    train, test = rows(dataset, split.train), rows(dataset, split.test)
    groups = None if dataset.groups is None else dataset.groups[split.train]
    scorers = [fault.scorer for fault in faults if fault.scorer]

    def score(fitted: Detector) -> Scores:
        for scorer in scorers:
            return scorer(fitted, test, split.y_test)
        return fitted.anomaly_score(test)

    def fit(unfitted: Detector) -> Detector:
        return unfitted.fit(train, groups=groups)

    for fault in faults:
        fit = partial(_fit_with, fault, fit, score, split)
    score_names = {text: parse_score_name(text) for text in method["scores"]}
    unfitted = cls(**params, random_state=seed)
    fitted_name = score_to_fit(unfitted, list(score_names.values()))
    start = time.perf_counter()
    detector = fit(unfitted.set_params(score_name=fitted_name))
    end_of_fit = time.perf_counter()
    first, *others = sorted(score_names, key=lambda text: score_names[text] != fitted_name)
    threshold = detector.threshold_ if score_names[first] == fitted_name else None
    scored = {first: (score(detector.set_params(score_name=score_names[first])), threshold)}
    score_seconds = time.perf_counter() - end_of_fit
    maps = None
    if dataset.masks is not None and "explain" not in detector.unavailable:
        maps = np.asarray(detector.explain(test))
    for other in others:  # the detector's threshold belongs to the score it was fitted with
        scored[other] = (score(detector.set_params(score_name=score_names[other])), None)
    scored = {text: scored[text] for text in score_names}
    for fault in faults:
        for name, (values, threshold) in scored.items():
            values, other_threshold = fault.scores(values, split.y_test)
            scored[name] = (values, threshold if other_threshold is None else other_threshold)
    provenance = str(detector.provenance_) if detector.provenance_ else None
    weights = (p for net in detector.networks_.values() for p in net.state_dict().values())
    device = next(weights).device
    device_name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    calibration = None if faults else detector.calibration_scores_
    fit_seconds = end_of_fit - start
    return _Measured(scored, fit_seconds, score_seconds, maps, calibration, provenance, device_name)


def _fit_with(fault: Fault, fit: Any, score: Any, split: Split, detector: Detector) -> Detector:
    return fault.fit(detector, fit, score, split.y_test)


def _run_other(dataset: Dataset, split: Split, method: dict[str, Any], seed: int) -> _Measured:
    """Score by a baseline or a third-party detector, which fit and score in one call."""
    start = time.perf_counter()
    if method["kind"] == "third_party":
        scores = run_third_party(method["name"], dataset, split, seed)
    else:
        scores = run_baselines(dataset, split, [method["name"]], seed)[method["name"]]
    return _Measured({"": (scores, None)}, None, time.perf_counter() - start)


def _row(
    dataset: Dataset,
    split: Split,
    method: dict[str, Any],
    score: str,
    scored: tuple[Scores, float | None],
    measured: _Measured,
) -> dict[str, Any]:
    values, threshold = scored
    maps, is_first = measured.maps, score == (*method["scores"], "")[0]
    options: dict[str, Any] = {"threshold": threshold, "flag_rate": split.flag_rate}
    metrics = evaluate_scores(split.y_test, values, **options).as_dict()
    intervals = bootstrap_intervals(split.y_test, values, **options)
    if maps is not None and dataset.masks is not None and is_first:
        metrics |= evaluate_maps(dataset.masks[split.test], maps).as_dict()
    # Calibration scores are known for the first score only.
    if measured.calibration is not None and is_first:
        promises = evaluate_promises(split.y_test, values, measured.calibration)
        metrics |= promises.as_dict()
        intervals |= promises.intervals
    return {
        "title": row_title(method["title"], score, method["scores"]),
        "score": score,
        "metrics": metrics,
        "intervals": intervals,
    }


def _versions() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in _VERSIONS}
    return {**versions, "python": platform.python_version()}


def _restart_peak() -> None:
    """Reset this process's peak memory in the system: it measures one cell after another."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not allowed here: the peak is then that of all cells so far
        return


def _peak_mib() -> float:
    """Return the peak memory of this process since the last reset, in MiB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
