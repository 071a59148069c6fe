"""Tasks and methods from the entries of a spec."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from sklearn.model_selection import ParameterGrid

from oddgan import datasets, detectors, inputs
from oddgan.estimator import renamed
from oddgan.evaluation.baselines import BASELINES
from oddgan.evaluation.protocols import from_dict
from oddgan.evaluation.third_party import THIRD_PARTY_DETECTORS

from .data import digest
from .spec import Method, Task
from .values import check_keys, known_names, mapping, row_limits, texts

_TASK_KEYS = {"data", "protocol", "resplit", "title", "limits", "load", "params"}
_METHOD_KEYS = {
    "detector",
    "title",
    "preset",
    "params",
    "grid",
    "scores",
    "published",
    "limits",
    "faults",
    "tasks",
}


def tasks_from(values: Any, limits: Mapping[str, int]) -> list[Task]:
    """Return the tasks of an entry: one for each value of the protocol's lists.

    Parameters
    ----------
    values : dict
        An entry of ``tasks``.
    limits : dict
        Row limits of the spec, which those of the entry override.
    """
    check_keys(values, _TASK_KEYS, "a task", {"data", "protocol"})
    protocol = mapping(values, "protocol")
    varied = [key for key, value in protocol.items() if isinstance(value, list)]
    data, load = _data(values)
    title = str(values.get("title", data))
    tasks = []
    for combination in product(*(protocol[key] for key in varied)):
        of_task = {**protocol, **dict(zip(varied, combination, strict=True))}
        from_dict(of_task)  # raises for a wrong name or parameter
        tasks.append(
            Task(
                title=" ".join([title, *map(str, combination)]),
                data=data,
                protocol=of_task,
                resplit=bool(values.get("resplit", False)),
                limits={**limits, **row_limits(values)},
                load=load,
                params=mapping(values, "params"),
            )
        )
    return tasks


def _data(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name or path of a task's data and its load options, with the digest of a path."""
    data, load = str(values["data"]), mapping(values, "load")
    names = [info.name for info in datasets.available()]
    if data in names:
        return data, load
    path = Path(data)
    if not path.exists():
        raise ValueError(
            f"data {data!r} is neither a file or folder nor a data set; the data sets are "
            f"{', '.join(names)}"
        )
    check_keys(load, {"label", "sha256"}, f"load of {data}")
    if not path.is_dir():
        if load.get("label") is None:
            raise ValueError(f"{data}: name the column with the labels by load: {{label: ...}}")
        inputs.open_source(path, label=load["label"])  # raises for a wrong column
    # The digest is part of a cell's definition: a file that changed is measured again.
    return data, {**load, "sha256": load.get("sha256") or digest(path)}


def methods_from(values: Any) -> list[Method]:
    """Return the methods of an entry of ``methods``: one for each point of its grid."""
    check_keys(values, _METHOD_KEYS, "a method", {"detector"})
    classes = detectors.all_detectors()
    name = str(values["detector"])
    if name not in classes:
        raise ValueError(f"no detector is called {name!r}; there are {', '.join(classes)}")
    cls = classes[name]
    preset = values.get("preset")
    if preset is not None and preset not in cls.presets:
        raise ValueError(f"{name} has no preset {preset!r}; it has {', '.join(cls.presets)}")
    params = renamed(mapping(values, "params"))
    default = params.pop("score_name", cls.scores[0])
    scores = texts({"scores": [default], **values}, "scores")
    if not scores:
        raise ValueError(f"scores of {name} are at least one of {', '.join(cls.scores)}")
    if isinstance(values.get("published"), str):
        published = {scores[0]: values["published"]}
    else:
        published = mapping(values, "published")
    methods = []
    for grid in ParameterGrid(mapping(values, "grid")):
        settings = [f"{key}={value}" for key, value in grid.items()]
        methods.append(
            Method(
                title=" ".join([str(values.get("title", cls.__name__)), *settings]),
                kind="detector",
                name=name,
                preset=dict(cls.presets[preset]) if preset else {},
                params={**params, **grid},
                scores=scores,
                published=published,
                limits=row_limits(values),
                faults=texts(values, "faults") if "faults" in values else None,
                tasks=texts(values, "tasks") if "tasks" in values else None,
            )
        )
    return methods


def other_methods(values: Mapping[str, Any]) -> list[Method]:
    """Return the baselines of a spec, and those of its third-party detectors that are installed."""
    baselines = known_names(values, "baselines", "baseline", BASELINES, or_all=True)
    third_party = known_names(
        values, "third_party", "third-party detector", THIRD_PARTY_DETECTORS, or_all=True
    )
    return [
        *(Method(BASELINES[n].title, "baseline", n, seeded=BASELINES[n].random) for n in baselines),
        *(
            Method(
                THIRD_PARTY_DETECTORS[n].title,
                "third_party",
                n,
                seeded=THIRD_PARTY_DETECTORS[n].random,
            )
            for n in third_party
            if THIRD_PARTY_DETECTORS[n].installed
        ),
    ]
