"""What an experiment is: tasks, methods, parameters and seeds.

A cell is one method on one task with one seed. Its definition, as plain values, names its file on
disk: a cell that was measured as it is defined now is not measured again.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Literal

from oddgan.evaluation.baselines import BASELINES
from oddgan.evaluation.protocols import from_dict

from .faults import faults_named

Kind = Literal["detector", "baseline", "third_party"]


def row_title(method: str, score: str, scores: Sequence[str]) -> str:
    """Return the title of the row with the results of one of a method's scores."""
    return f"{method} {score}" if len(scores) > 1 else method


@dataclass(frozen=True, eq=False)
class Task:
    """Data and the protocol that splits it.

    Attributes
    ----------
    title : str
    data : str
        A data set's name, or the path of a labelled file.
    protocol : dict
        As `evaluation.from_dict` takes it.
    resplit : bool
        Whether each seed has a split of its own; else all share the protocol's.
    limits : dict
        ``train`` and ``test``: the most rows of either.
    load : dict
        Options for `datasets.load`; of a file ``label`` and ``sha256``.
    params : dict
        Parameters of the detectors on this task.
    """

    title: str
    data: str
    protocol: dict[str, Any]
    resplit: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    load: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Method:
    """A detector with its parameters, a baseline, or a third-party detector.

    Attributes
    ----------
    title : str
    kind : {"detector", "baseline", "third_party"}
    name : str
        Its key among the detectors, the baselines or the third-party detectors.
    preset, params : dict
        Parameters of a detector: those of its preset, then, after the ones of spec and task, its
        own.
    scores : tuple of str
        Values of the detector's `score`, of several parts with commas; one training serves all.
    published : dict of str to str
        From a score to the method's name among the published numbers.
    limits : dict
        As those of a task; the smaller ones count.
    faults : tuple of str or None
        Which of the spec's faults it can have; None for all.
    tasks : tuple of str or None
        The tasks (by data) that it is run on; None for all.
    seeded : bool
        Whether another seed is another result on the same split.
    """

    title: str
    kind: Kind
    name: str
    preset: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    scores: tuple[str, ...] = ("",)
    published: dict[str, str] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    seeded: bool = True

    def row(self, score: str) -> str:
        """Return the title of the row that has the results of a score."""
        return row_title(self.title, score, self.scores)


@dataclass(frozen=True, eq=False)
class Cell:
    """One method on one task with one seed.

    Attributes
    ----------
    task : Task
    method : Method
        With the parameters that it has in this cell.
    seed : int
    faults : tuple of str
        The faults of the papers' code that are switched on.
    keep_scores : bool
        Whether the scores of the test rows are kept beside the result.
    """

    task: Task
    method: Method
    seed: int
    faults: tuple[str, ...] = ()
    keep_scores: bool = False

    def definition(self) -> dict[str, Any]:
        """Return, as plain values, what is measured and how.

        The versions of the libraries are not in it; they are kept with the result.
        """
        task, method = self.task, self.method
        return {
            "task": {
                "title": task.title,
                "data": task.data,
                "load": task.load,
                "protocol": task.protocol,
                "limits": _smaller(task.limits, method.limits),
            },
            "method": {
                "title": method.title,
                "kind": method.kind,
                "name": method.name,
                "params": method.params,
                "scores": list(method.scores),
            },
            "seed": self.seed,
            "faults": list(self.faults),
            "keep_scores": self.keep_scores,
        }

    @property
    def key(self) -> str:
        """Return the name of the cell's file: readable, and with a digest of its definition."""
        text = json.dumps(self.definition(), sort_keys=True)
        parts = [self.task.title, self.method.title, *self.faults, f"seed {self.seed}"]
        words = re.sub(r"[^a-z0-9.]+", "-", " ".join(parts).lower()).strip("-")
        return f"{words[:100]}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


@dataclass(frozen=True, eq=False)
class Spec:
    """An experiment.

    Attributes
    ----------
    name, title, about : str
    size : {"full", "quick"}
    headline : tuple of str
        What methods are compared by: keys of `evaluation.METRICS`, the first foremost.
    tasks : tuple of Task
    methods : tuple of Method
    seeds : tuple of int
    params : dict
        Parameters of all detectors.
    published : tuple of str
        Papers whose numbers stand beside.
    faults : tuple of str
        Faults that these papers' code is known to have.
    keep_scores : bool
        Whether the scores of the test rows are kept.
    words : tuple of str
        What follows ``oddgan bench`` to have it run.
    """

    name: str
    title: str
    about: str
    size: Literal["full", "quick"]
    headline: tuple[str, ...]
    tasks: tuple[Task, ...]
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    params: dict[str, Any] = field(default_factory=dict)
    published: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    keep_scores: bool = False
    words: tuple[str, ...] = ()

    def cells(self, as_published: Sequence[str] = ()) -> list[Cell]:
        """Return all cells: every task by every method, seed by seed.

        Parameters
        ----------
        as_published : sequence of str
            Faults to show: each detector that can have them is measured without, with each
            alone, and with all of them.

        Raises
        ------
        ValueError
            If a fault is not one of this spec.
        """
        as_published = [fault.name for fault in faults_named(as_published)]
        for fault in as_published:
            if fault not in self.faults:
                known = ", ".join(self.faults) or "none"
                raise ValueError(f"{self.name} has no fault {fault!r}; it has: {known}")
        return [
            Cell(
                replace(task, protocol=_split_by(task, seed)),
                replace(method, params=self._params(task, method)),
                seed,
                faults,
                self.keep_scores,
            )
            for seed, task, method in product(self.seeds, self.tasks, self.methods)
            if _runs(method, task, seed == self.seeds[0])
            for faults in _subsets(method, as_published)
        ]

    def _params(self, task: Task, method: Method) -> dict[str, Any]:
        if method.kind != "detector":
            return {}
        return {**method.preset, **self.params, **task.params, **method.params}


def _runs(method: Method, task: Task, first: bool) -> bool:
    """Say whether a method runs on a task; a result that no seed changes is measured once."""
    if method.tasks is not None and task.data not in method.tasks:
        return False
    if method.kind == "baseline" and not BASELINES[method.name].applies_to(task.data):
        return False
    return first or method.seeded or task.resplit


def _subsets(method: Method, as_published: Sequence[str]) -> list[tuple[str, ...]]:
    """Return none, each and all of the faults that a method can have."""
    own = tuple(f for f in as_published if method.faults is None or f in method.faults)
    if method.kind != "detector" or not own:
        return [()]
    return [(), *((fault,) for fault in own), *([own] if len(own) > 1 else [])]


def _split_by(task: Task, seed: int) -> dict[str, Any]:
    """Return the protocol's every parameter, with the seed where each seed has its own split."""
    protocol = task.protocol
    if task.resplit:
        protocol = {**protocol, "seed": seed}
        if "base" in protocol:  # of which anomalies among the training rows are drawn
            protocol["base"] = {**protocol["base"], "seed": seed}
    return from_dict(protocol).to_dict()


def _smaller(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {k: min(d[k] for d in (a, b) if k in d) for k in sorted({*a, *b})}
