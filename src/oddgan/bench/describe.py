"""Context of the results: published numbers, protocols, row limits, the command."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from oddgan import datasets
from oddgan.evaluation.protocols import from_dict
from oddgan.evaluation.published import Published, published

from .faults import faults_named
from .figures import heading
from .report import Report
from .spec import Cell, Spec, Task


def describe(
    spec: Spec,
    cells: Sequence[Cell],
    results: Sequence[Mapping[str, Any] | None],
    as_published: Sequence[str],
) -> Report:
    """Return what the tables of an experiment state besides its results.

    Parameters
    ----------
    spec : Spec
    cells : sequence of Cell
    results : sequence of dict or None
        Results by cell; None if not measured.
    as_published : sequence of str
        Faults that were switched on.
    """
    # Methods with the same title, each for different data, share a row.
    ours = dict.fromkeys(m.row(s) for m in spec.methods if m.kind == "detector" for s in m.scores)
    others = [m.title for m in spec.methods if m.kind != "detector"]
    return Report(
        title=spec.title,
        about=spec.about,
        headline=spec.headline,
        tasks=tuple(task.title for task in spec.tasks),
        rows=tuple(ours),
        others=tuple(others),
        planned=_planned(cells),
        published=tuple(_published(spec)),
        command=_command(spec, as_published),
        size=spec.size,
        limits=_limits(cells),
        protocols=_statements(cells, results),
        faults={fault.name: fault.description for fault in faults_named(as_published)},
    )


def _planned(cells: Sequence[Cell]) -> dict[tuple[str, str, str], int]:
    """Count the seeds of each row on each task with each set of faults."""
    return dict(
        Counter(
            (cell.method.row(score), cell.task.title, ",".join(cell.faults))
            for cell in cells
            for score in cell.method.scores
        )
    )


def _published(spec: Spec) -> Iterator[dict[str, Any]]:
    """Yield the published values for the tasks of a spec."""
    records = published(papers=spec.published)
    for record in records:
        for metric, value in record.metrics.items():
            for task in _tasks(spec, record):
                yield {
                    "row": _row(spec, record),
                    "method": record.method,
                    "data": record.data,
                    "task": task,
                    "metric": metric,
                    "value": value,
                    "sd": record.sd.get(metric),
                    "decimals": record.decimals,
                    "over": record.over,
                    "whole": _is_whole(spec, record, records),
                    "own": record.own,
                    "provenance": record.provenance,
                    "via": record.via,
                    "confidence": record.confidence,
                    "cite": record.cite,
                    "source_note": record.source_note,
                    "note": record.note,
                }


def _row(spec: Spec, record: Published) -> str | None:
    """Return the title of our row for the same method on the same data, if any."""
    for method in spec.methods:
        if method.tasks is not None and record.data not in method.tasks:
            continue
        if method.kind == "baseline" and method.name == record.baseline:
            return method.title
        for score, name in method.published.items():
            if name == record.method:
                return method.row(score)
    return None


def _tasks(spec: Spec, record: Published) -> Iterator[str | None]:
    """Yield the tasks that a record belongs to; None for a mean over classes."""
    tasks = [task for task in spec.tasks if _is_of(task, record)]
    if record.over is not None and tasks:
        yield None
        return
    cls = None if record.cls is None else _class_name(record.data, record.cls)
    yield from (task.title for task in tasks if cls in (None, _class(task)))


def _is_of(task: Task, record: Published) -> bool:
    """Return whether data, protocol and known parameters are those of the record."""
    if task.data != record.data or task.protocol["name"] != record.protocol:
        return False
    params = from_dict(task.protocol).to_dict()
    return all(params.get(name) == value for name, value in record.params.items())


def _is_whole(spec: Spec, record: Published, records: Sequence[Published]) -> bool:
    """Return whether the tasks are exactly the classes of the printed table or mean."""
    tasks = [_class(task) for task in spec.tasks if _is_of(task, record)]
    if None in tasks or not len(spec.tasks) == len(tasks) == len({*tasks}):
        return False
    if record.over is not None:
        return len(tasks) == record.over
    table = (record.paper, record.table, record.data, record.method)
    classes = {
        _class_name(other.data, other.cls)
        for other in records
        if (other.paper, other.table, other.data, other.method) == table and other.cls is not None
    }
    return classes == {*tasks}


def _class(task: Task) -> str | None:
    classes = [task.protocol[key] for key in ("anomaly", "normal") if key in task.protocol]
    return _class_name(task.data, classes[0]) if classes else None


def _class_name(data: str, cls: int | str) -> str:
    """Return the name of a class given by name or by number."""
    names = _classes().get(data, ())
    if cls not in names and str(cls).isdecimal() and int(cls) < len(names):
        return str(names[int(cls)])
    return str(cls)


@cache
def _classes() -> dict[str, tuple[int | str, ...]]:
    return {info.name: info.classes for info in datasets.available()}


def _command(spec: Spec, as_published: Sequence[str]) -> str:
    words = ["oddgan", "bench", *spec.arguments]
    words += ["--quick"] if spec.size == "quick" else []
    words += ["--as-published", ",".join(as_published)] if as_published else []
    return shlex.join(words)


def _limits(cells: Sequence[Cell]) -> str:
    """Describe the row limits and the methods that they apply to."""
    methods: dict[str, list[str]] = {}
    for cell in cells:
        limits = cell.definition()["task"]["limits"]
        caps = " and ".join(
            f"{most:,} {part} rows"
            for part, most in (("training", limits.get("train")), ("test", limits.get("test")))
            if most
        )
        if caps:
            methods.setdefault(caps, [])
            if cell.method.title not in methods[caps]:
                methods[caps].append(cell.method.title)
    n_methods = len({cell.method.title for cell in cells})
    return "; ".join(
        f"at most {caps}" + ("" if len(titles) == n_methods else f" for {', '.join(titles)}")
        for caps, titles in methods.items()
    )


def _statements(
    cells: Sequence[Cell], results: Sequence[Mapping[str, Any] | None]
) -> dict[str, str]:
    """Describe the split of each task, from its first finished cell without faults."""
    statements: dict[str, str] = {}
    for cell, result in zip(cells, results, strict=True):
        if result is not None and "statement" in result and not cell.faults:
            s = result["statement"]
            statements.setdefault(
                cell.task.title,
                f"{s['anomalous']}; {s['training']}; {s['testing']}. {s['n_train']:,} training "
                f"rows, {s['n_test']:,} test rows, {100 * s['prevalence']:.1f} % of them "
                f"anomalous. The protocol's metric: {heading(s['metric'])}.",
            )
    return statements
