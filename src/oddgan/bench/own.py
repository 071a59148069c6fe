"""A comparison on a user's own labelled data: which detector to keep, and how sure that is.

A method that looked best on some labels is, on the average, worse than it looked. So the labelled
test rows are halved: one half chooses, the other says how good the chosen one is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from oddgan.datasets import Dataset, available
from oddgan.detectors import OddGAN, all_detectors
from oddgan.detectors.default import CONTROLS
from oddgan.evaluation._counts import FIGURES, Ranking
from oddgan.evaluation.intervals import bootstrap_intervals
from oddgan.evaluation.metrics import evaluate_scores
from oddgan.evaluation.protocols import Protocol, default_protocol, from_dict

from .data import digest, open_data, read_labelled
from .reading import spec_from, with_seeds
from .spec import Cell, Spec
from .store import is_done, scores_path

if TYPE_CHECKING:
    from . import Results

#: What is chosen by: of a rare class it says more than the AUROC.
_METRIC = "average_precision"
_RESAMPLES = 500
# Detectors that train and score in one pass each: those that search a latent vector for each
# sample take hundreds of times as long.
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


def own_spec(
    data: str | Path,
    label: str | None,
    anomaly: str | None = None,
    *,
    quick: bool = False,
    seeds: int | None = None,
) -> Spec:
    """Return the experiment that compares the sensible detectors on labelled data.

    Parameters
    ----------
    data : str or path
        A data set's name, a table (CSV, Parquet, NPY, NPZ) or a folder of class folders.
    label : str or None
        The column with the truth; None for a data set by name and for a folder.
    anomaly : str, optional
        The anomalous class. By default 1 or True, or what the protocol of a data set by name says.
    quick : bool
        Whether fewer seeds, rows and steps must do.
    seeds : int, optional
        How many seeds; 3 by default.

    Raises
    ------
    ValueError
        If there is no such file, label or class.
    """
    load: dict[str, Any] = {}
    if str(data) in [info.name for info in available()]:
        if label is not None:
            raise ValueError(f"{data} is a data set with labels of its own: leave out the label")
        dataset = open_data(str(data), {})
    else:
        dataset = read_labelled(Path(data), label)
        load = {"label": label, "sha256": digest(Path(data))}
    protocol = _protocol(dataset, anomaly)
    # Too few labels, or a class that is not there, are found now.
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
    said = {"--data": data, "--label": label, "--anomaly": anomaly}
    words = [str(word) for pair in said.items() if pair[1] is not None for word in pair]
    spec = replace(spec_from(values, name=Path(data).stem, quick=quick), words=tuple(words))
    return spec if seeds is None else with_seeds(spec, seeds)


def _methods(kind: str, most_steps: int | None) -> list[dict[str, Any]]:
    """Return the detectors and OddGAN's controls, none with more steps than it has by default."""
    found: list[dict[str, Any]] = [{"detector": name} for name in _DETECTORS]
    for title, control in CONTROLS[kind].items():
        # A spec names several parts of a score with commas.
        params = {k: ",".join(v) if isinstance(v, tuple) else v for k, v in control.params.items()}
        name = control.detector.__name__.lower()
        found.append({"detector": name, "title": title, "params": params})
    if most_steps is None:
        return found
    for method in found:
        params = method.setdefault("params", {})
        steps = _steps(method["detector"], kind, params)
        params["max_steps"] = most_steps if steps is None else min(steps, most_steps)
    return found


def _steps(name: str, kind: str, params: Mapping[str, Any]) -> int | None:
    """Return the most steps that a detector trains by itself, for OddGAN those of its recipe."""
    cls = all_detectors()[name]
    made = OddGAN.recipe(kind) if cls is OddGAN else cls(**params)
    steps: int | None = made.get_params()["max_steps"]
    return steps


def _protocol(dataset: Dataset, anomaly: str | None) -> Protocol:
    """Return the usual protocol; of a yes-or-no label True is the anomaly."""
    if anomaly is None and set(map(str, dataset.classes)) == {"False", "True"}:
        anomaly = "True"
    try:
        return default_protocol(dataset, anomaly)
    except ValueError as error:
        raise ValueError(f"{error}; on the command line by --anomaly") from error


@dataclass(frozen=True)
class Choice:
    """Which method to keep.

    Attributes
    ----------
    kept : str
        The method with the greatest mean average precision on the half that chooses.
    chances : dict of str to float
        How often each method was the best in resamples of that half and of the seeds.
    n_choosing : int
        How many anomalies that half has.
    n_seeds : int
        How many trainings of the kept method were seen; 0 if no seed changes it.
    figure, low, high : float
        Average precision of the kept method on the other half (mean over seeds), and its 95 %
        bootstrap interval (of the mean bounds).
    prevalence : float
        What a score without information reaches there.
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
        """Say it in words."""
        chance = self.chances[self.kept]
        others = [(c, name) for name, c in self.chances.items() if name != self.kept and c > 0]
        first = (
            f"Keep {self.kept}: it was the best in {chance:.0%} of the resamples of the half of "
            f"the test rows that chose it ({self.n_choosing} anomalies)."
        )
        said = [first]
        if others:
            rest = ", ".join(f"{name} {c:.0%}" for c, name in sorted(others, reverse=True)[:3])
            said.append(f"The others that were: {rest}.")
        if chance < 0.6:
            said.append("That is not a clear lead: the simplest of these is as good a choice.")
        if self.n_seeds == 1:
            said.append("It was trained once: how much another seed changes is not known.")
        said.append(
            f"On the other half its average precision is {self.figure:.3f} (95 % interval "
            f"{self.low:.3f} to {self.high:.3f}; by chance {self.prevalence:.3f})."
        )
        if self.n_choosing < 30:
            said.append("So few labelled anomalies decide little: label more before relying on it.")
        return said


def choose(results: "Results") -> Choice | None:
    """Choose a method by one half of the test rows; None where fewer than two have results.

    Parameters
    ----------
    results : Results
        Of a spec by `own_spec`.
    """
    cells = results.spec.cells()
    y = _truth(cells[0])
    scores = _kept_scores(cells, results.folder / "cells", len(y))
    if len(scores) < 2:
        return None
    first, second = _halves(y)
    rng = np.random.default_rng(0)
    won = dict.fromkeys(scores, 0)
    rankings = {
        name: [Ranking(s[first], y[first], None, None) for s in many]
        for name, many in scores.items()
    }
    n_odd, n_normal = int(y[first].sum()), int((~y[first]).sum())
    every = np.arange(n_odd), np.arange(n_normal)
    figure = FIGURES[_METRIC]
    means = {name: np.mean([figure(r.count(every)) for r in rs]) for name, rs in rankings.items()}
    for _ in range(_RESAMPLES):
        draw = rng.integers(n_odd, size=n_odd), rng.integers(n_normal, size=n_normal)
        found = {
            name: np.mean([figure(rs[i].count(draw)) for i in rng.integers(len(rs), size=len(rs))])
            for name, rs in rankings.items()
        }
        won[max(found, key=lambda name: found[name])] += 1
    kept = max(means, key=lambda name: means[name])
    seeded = any(m.seeded for m in results.spec.methods if kept in map(m.row, m.scores))
    chances = {name: n / _RESAMPLES for name, n in won.items()}
    other_half = _figures(y[second], [s[second] for s in scores[kept]])
    return Choice(kept, chances, n_odd, len(scores[kept]) if seeded else 0, *other_half)


def _figures(
    y: npt.NDArray[np.bool_], scores: Sequence[npt.NDArray[np.float64]]
) -> tuple[float, float, float, float]:
    """Return the average precision, its interval (mean bounds) and the prevalence."""
    bounds = [bootstrap_intervals(y, s, metrics=(_METRIC,))[_METRIC] for s in scores]
    low, high = np.mean(bounds, axis=0)
    figures = [evaluate_scores(y, s).average_precision for s in scores]
    return float(np.mean(figures)), float(low), float(high), float(y.mean())


def _truth(cell: Cell) -> npt.NDArray[np.bool_]:
    """Return which of the test rows are anomalous; they are the same in all cells."""
    dataset = open_data(cell.task.data, cell.task.load)
    limits = cell.definition()["task"]["limits"]
    split = from_dict(cell.task.protocol).split(dataset).limited(**limits)
    return split.y_test.astype(bool)


def _kept_scores(
    cells: Sequence[Cell], folder: Path, n: int
) -> dict[str, list[npt.NDArray[np.float64]]]:
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    for cell in cells:
        for score in cell.method.scores if is_done(folder, cell) else ():
            scores = np.load(scores_path(folder, cell.key, score))
            found.setdefault(cell.method.row(score), []).append(scores)
    wrong = [name for name, many in found.items() if any(len(s) != n for s in many)]
    if wrong:
        raise ValueError(f"{folder}: the scores of {wrong[0]} are not of these {n} test rows")
    return found


def _halves(y: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Halve the rows at random, anomalies and normal rows apart."""
    rng = np.random.default_rng(0)
    first = np.zeros(len(y), dtype=bool)
    for part in (np.flatnonzero(y), np.flatnonzero(~y)):
        if len(part) < 2:
            raise ValueError(f"{len(part)} test rows of a class cannot be halved: label more")
        first[rng.permutation(part)[: len(part) // 2]] = True
    return first, ~first
