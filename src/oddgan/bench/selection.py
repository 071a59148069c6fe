"""A comparison on a user's labelled data: which detector to keep, and how certain the choice is.

The method that looks best on some labels is on average worse than it looks. So the labelled test
rows are halved: one half chooses the method, the other estimates how good it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oddgan.datasets import Dataset, available
from oddgan.detectors import OddGAN, all_detectors
from oddgan.detectors.default import CONTROLS
from oddgan.evaluation.counts import COUNT_METRICS, Ranking
from oddgan.evaluation.intervals import bootstrap_intervals
from oddgan.evaluation.metrics import evaluate_scores
from oddgan.evaluation.protocols import Protocol, default_protocol, from_dict

from .data import digest, open_data, read_labelled
from .experiment import Results
from .reading import spec_from, with_seeds
from .spec import Cell, Spec
from .store import is_done, scores_path

#: The metric of the choice: for a rare class it is more telling than the AUROC.
_METRIC = "average_precision"
_RESAMPLES = 500
# Detectors that score in one pass: those that search a latent vector for each sample take hundreds
# of times as long.
_DETECTORS = (
    "oddgan",
    "pcareconstruction",
    "autoencoder",
    "vae",
    "adversarialautoencoder",
    "ganomaly",
    "egbad",
    "alad",
    "dsebm",
)
_LIMITS = {"train": 50_000, "test": 50_000}
_QUICK = {"seeds": 2, "limits": {"train": 5_000, "test": 5_000}}
_QUICK_STEPS = 1000


def selection_spec(
    data: str | Path,
    label: str | None,
    anomaly: str | None = None,
    *,
    quick: bool = False,
    seeds: int | None = None,
) -> Spec:
    """Return the experiment that compares suitable detectors on labelled data.

    Parameters
    ----------
    data : str or path
        A data set's name, a table (CSV, Parquet, NPY, NPZ) or a folder of class folders.
    label : str or None
        The column with the labels; None for a named data set or a folder.
    anomaly : str, optional
        The anomalous class. By default 1 or True, or the one in the protocol of a named data set.
    quick : bool
        Whether to use fewer seeds, rows and steps.
    seeds : int, optional
        Number of seeds; by default 3.

    Raises
    ------
    ValueError
        If the file, the label column or the class does not exist.
    """
    load: dict[str, Any] = {}
    if str(data) in [info.name for info in available()]:
        if label is not None:
            raise ValueError(f"{data} is a data set that has labels: leave out the label")
        dataset = open_data(str(data), {})
    else:
        dataset = read_labelled(Path(data), label)
        load = {"label": label, "sha256": digest(Path(data))}
    protocol = _protocol(dataset, anomaly)
    # Raises for too few labels or a missing class.
    _halves(protocol.split(dataset).limited(**_LIMITS).y_test.astype(bool))
    values = {
        "title": f"Detectors on {Path(data).name}",
        "about": f"Default settings{f', at most {_QUICK_STEPS:,} steps' if quick else ''}.",
        "headline": [_METRIC, "auroc"],
        "tasks": [{"data": str(data), "protocol": protocol.to_dict(), "load": load}],
        "methods": _methods(dataset.kind, _QUICK_STEPS if quick else None),
        "third_party": ["ecod"],
        "limits": _LIMITS,
        "seeds": 3,
        "keep_scores": True,
        "quick": _QUICK,
    }
    options = {"--data": data, "--label": label, "--anomaly": anomaly}
    arguments = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
    spec = spec_from(values, name=Path(data).stem, quick=quick)
    spec = replace(spec, arguments=tuple(arguments))
    return spec if seeds is None else with_seeds(spec, seeds)


def _methods(kind: str, most_steps: int | None) -> list[dict[str, Any]]:
    """Return the detectors and OddGAN's controls, none with more steps than its default."""
    methods: list[dict[str, Any]] = [{"detector": name} for name in _DETECTORS]
    for title, control in CONTROLS[kind].items():
        # A spec separates the components of a score with commas.
        params = {k: ",".join(v) if isinstance(v, tuple) else v for k, v in control.params.items()}
        name = control.detector.__name__.lower()
        methods.append({"detector": name, "title": title, "params": params})
    if most_steps is None:
        return methods
    for method in methods:
        params = method.setdefault("params", {})
        steps = _steps(method["detector"], kind, params)
        params["max_steps"] = most_steps if steps is None else min(steps, most_steps)
    return methods


def _steps(name: str, kind: str, params: Mapping[str, Any]) -> int | None:
    """Return a detector's default limit of training steps; for OddGAN that of its recipe."""
    cls = all_detectors()[name]
    detector = OddGAN.recipe(kind) if cls is OddGAN else cls(**params)
    steps: int | None = detector.get_params()["max_steps"]
    return steps


def _protocol(dataset: Dataset, anomaly: str | None) -> Protocol:
    """Return the default protocol; with boolean labels True is the anomaly."""
    if anomaly is None and set(map(str, dataset.classes)) == {"False", "True"}:
        anomaly = "True"
    try:
        return default_protocol(dataset, anomaly)
    except ValueError as error:
        raise ValueError(f"{error}; on the command line by --anomaly") from error


@dataclass(frozen=True)
class Choice:
    """The method to keep.

    Attributes
    ----------
    kept : str
        The method with the highest mean average precision on the half that chooses.
    chances : dict of str to float
        How often each method was best in resamples of that half and of the seeds.
    n_choosing : int
        Number of anomalies in that half.
    n_seeds : int
        Number of trainings of the kept method; 0 if the seed does not change it.
    figure, low, high : float
        Average precision of the kept method on the other half (mean over seeds), and its 95 %
        bootstrap interval (mean bounds).
    prevalence : float
        Average precision of a score without information on that half.
    """

    kept: str
    chances: dict[str, float]
    n_choosing: int
    n_seeds: int
    figure: float
    low: float
    high: float
    prevalence: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Return the choice in words."""
        chance = self.chances[self.kept]
        others = [(c, name) for name, c in self.chances.items() if name != self.kept and c > 0]
        first = (
            f"Keep {self.kept}: it was the best in {chance:.0%} of the resamples of the half of "
            f"the test rows that chose it ({self.n_choosing} anomalies)."
        )
        sentences = [first]
        if others:
            rest = ", ".join(f"{name} {c:.0%}" for c, name in sorted(others, reverse=True)[:3])
            sentences.append(f"Other methods that were best: {rest}.")
        if chance < 0.6:
            sentences.append("That is not a clear lead: the simplest of these is as good a choice.")
        if self.n_seeds == 1:
            sentences.append("It was trained once, so the effect of the seed is unknown.")
        sentences.append(
            f"On the other half its average precision is {self.figure:.3f} (95 % interval "
            f"{self.low:.3f} to {self.high:.3f}; by chance {self.prevalence:.3f})."
        )
        if self.n_choosing < 30:
            sentences.append(
                "So few labelled anomalies decide little: label more before relying on it."
            )
        return sentences


def choose(results: Results) -> Choice | None:
    """Choose a method on one half of the test rows; None if fewer than two have results.

    Parameters
    ----------
    results : Results
        Results of a spec from `selection_spec`.
    """
    cells = results.spec.cells()
    y = _labels(cells[0])
    scores = _stored_scores(cells, results.folder / "cells", len(y))
    if len(scores) < 2:
        return None
    first, second = _halves(y)
    rng = np.random.default_rng(0)
    wins = dict.fromkeys(scores, 0)
    rankings = {
        name: [Ranking(s[first], y[first], None, None) for s in by_seed]
        for name, by_seed in scores.items()
    }
    n_anomalies, n_normal = int(y[first].sum()), int((~y[first]).sum())
    all_rows = np.arange(n_anomalies), np.arange(n_normal)
    metric = COUNT_METRICS[_METRIC]
    means = {
        name: np.mean([metric(r.count(all_rows)) for r in rs]) for name, rs in rankings.items()
    }
    for _ in range(_RESAMPLES):
        draw = rng.integers(n_anomalies, size=n_anomalies), rng.integers(n_normal, size=n_normal)
        resampled = {
            name: np.mean([metric(rs[i].count(draw)) for i in rng.integers(len(rs), size=len(rs))])
            for name, rs in rankings.items()
        }
        wins[max(resampled, key=lambda name: resampled[name])] += 1
    kept = max(means, key=lambda name: means[name])
    seeded = any(m.seeded for m in results.spec.methods if kept in map(m.row, m.scores))
    chances = {name: n / _RESAMPLES for name, n in wins.items()}
    estimate = _estimate(y[second], [s[second] for s in scores[kept]])
    return Choice(kept, chances, n_anomalies, len(scores[kept]) if seeded else 0, *estimate)


def _estimate(
    y: npt.NDArray[np.bool_], scores: Sequence[npt.NDArray[np.float64]]
) -> tuple[float, float, float, float]:
    """Return the average precision, its interval (mean bounds) and the prevalence."""
    bounds = [bootstrap_intervals(y, s, metrics=(_METRIC,))[_METRIC] for s in scores]
    low, high = np.mean(bounds, axis=0)
    values = [evaluate_scores(y, s).average_precision for s in scores]
    return float(np.mean(values)), float(low), float(high), float(y.mean())


def _labels(cell: Cell) -> npt.NDArray[np.bool_]:
    """Return which test rows are anomalous, the same in all cells."""
    dataset = open_data(cell.task.data, cell.task.load)
    limits = cell.definition()["task"]["limits"]
    split = from_dict(cell.task.protocol).split(dataset).limited(**limits)
    return split.y_test.astype(bool)


def _stored_scores(
    cells: Sequence[Cell], folder: Path, n: int
) -> dict[str, list[npt.NDArray[np.float64]]]:
    by_row: dict[str, list[npt.NDArray[np.float64]]] = {}
    for cell in cells:
        for score in cell.method.scores if is_done(folder, cell) else ():
            scores = np.load(scores_path(folder, cell.key, score))
            by_row.setdefault(cell.method.row(score), []).append(scores)
    mismatched = [name for name, by_seed in by_row.items() if any(len(s) != n for s in by_seed)]
    if mismatched:
        raise ValueError(
            f"{folder}: the scores of {mismatched[0]} do not belong to these {n} test rows"
        )
    return by_row


def _halves(y: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Halve the rows at random, anomalies and normal rows separately."""
    rng = np.random.default_rng(0)
    first = np.zeros(len(y), dtype=bool)
    for rows in (np.flatnonzero(y), np.flatnonzero(~y)):
        if len(rows) < 2:
            raise ValueError(f"{len(rows)} test rows of a class cannot be halved: label more")
        first[rng.permutation(rows)[: len(rows) // 2]] = True
    return first, ~first
