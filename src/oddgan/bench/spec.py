"""The specification of an experiment: tasks, methods, parameters and seeds.

A cell is one method on one task with one seed. A digest of its definition names its file on disk:
a cell is measured again only if its definition has changed.
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
    """Return the title of the row for one of a method's scores."""
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
        Values for `evaluation.from_dict`.
    resplit : bool
        Whether each seed has its own split; otherwise all share the protocol's.
    limits : dict
        ``train`` and ``test``: the most rows of each part.
    load : dict
        Options for `datasets.load`; for a file ``label`` and ``sha256``.
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
        Parameters of a detector. Later ones win: preset, spec, task, method.
    scores : tuple of str
        Values of the detector's `score_name`, with commas between several components; one
        training serves all.
    published : dict of str to str
        The method's name in the published numbers, by score.
    limits : dict
        Row limits as of a task; the smaller ones apply.
    faults : tuple of str or None
        The faults of the spec that apply to it; None for all.
    tasks : tuple of str or None
        The data of the tasks that it runs on; None for all.
    seeded : bool
        Whether the seed changes the result on the same split.
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
        """Return the title of the row for a score."""
        return row_title(self.title, score, self.scores)


@dataclass(frozen=True, eq=False)
class Cell:
    """One method on one task with one seed.

    Attributes
    ----------
    task : Task
    method : Method
        With its parameters in this cell.
    seed : int
    faults : tuple of str
        The faults of the papers' code that are switched on.
    keep_scores : bool
        Whether to store the scores of the test rows with the result.
    """

    task: Task
    method: Method
    seed: int
    faults: tuple[str, ...] = ()
    keep_scores: bool = False

    def definition(self) -> dict[str, Any]:
        """Return everything that defines the measurement, as plain values.

        The versions of the libraries are not part of it; they are stored with the result.
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
        """Return the name of the cell's file: readable words and a digest of its definition."""
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
        The metrics to compare methods by (keys of `evaluation.METRICS`), most important first.
    tasks : tuple of Task
    methods : tuple of Method
    seeds : tuple of int
    params : dict
        Parameters of all detectors.
    published : tuple of str
        Papers whose numbers the tables show.
    faults : tuple of str
        Known faults of these papers' code.
    keep_scores : bool
        Whether to store the scores of the test rows.
    arguments : tuple of str
        Arguments of ``oddgan bench`` that run it.
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
    arguments: tuple[str, ...] = ()

    def cells(self, as_published: Sequence[str] = ()) -> list[Cell]:
        """Return all cells: every task by every method, seed by seed.

        Parameters
        ----------
        as_published : sequence of str
            Faults to switch on: each detector that they apply to is measured without faults, with
            each fault alone, and with all of them.

        Raises
        ------
        ValueError
            If the spec does not have a fault.
        """
        as_published = [fault.name for fault in faults_named(as_published)]
        for fault in as_published:
            if fault not in self.faults:
                choices = ", ".join(self.faults) or "none"
                raise ValueError(f"{self.name} has no fault {fault!r}; it has: {choices}")
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
    """Return whether a method runs on a task; without randomness only the first seed does."""
    if method.tasks is not None and task.data not in method.tasks:
        return False
    if method.kind == "baseline" and not BASELINES[method.name].applies_to(task.data):
        return False
    return first or method.seeded or task.resplit


def _subsets(method: Method, as_published: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the sets of faults to run a method with: none, each one, and all of them."""
    faults = tuple(f for f in as_published if method.faults is None or f in method.faults)
    if method.kind != "detector" or not faults:
        return [()]
    return [(), *((fault,) for fault in faults), *([faults] if len(faults) > 1 else [])]


def _split_by(task: Task, seed: int) -> dict[str, Any]:
    """Return all parameters of the protocol, with the seed if each seed has its own split."""
    protocol = task.protocol
    if task.resplit:
        protocol = {**protocol, "seed": seed}
        if "base" in protocol:  # the protocol that is contaminated
            protocol["base"] = {**protocol["base"], "seed": seed}
    return from_dict(protocol).to_dict()


def _smaller(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {k: min(d[k] for d in (a, b) if k in d) for k in sorted({*a, *b})}
