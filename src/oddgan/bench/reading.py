"""Specs from YAML: the built-in ones by name, and a user's own files."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from sklearn.model_selection import ParameterGrid

from oddgan import datasets, detectors, inputs
from oddgan.estimator import parse_score_name, renamed
from oddgan.evaluation.baselines import BASELINES
from oddgan.evaluation.metrics import METRICS
from oddgan.evaluation.protocols import from_dict
from oddgan.evaluation.published import papers
from oddgan.evaluation.third_party import THIRD_PARTY_DETECTORS

from .data import digest
from .faults import FAULTS
from .spec import Method, Spec, Task
from .values import check_keys, mapping, mappings, named, row_limits, seed_numbers, texts

_KEYS = {
    "title",
    "about",
    "headline",
    "published",
    "tasks",
    "seeds",
    "params",
    "limits",
    "methods",
    "baselines",
    "third_party",
    "faults",
    "keep_scores",
    "quick",
}
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


def builtin_specs() -> dict[str, str]:
    """Return the built-in specs: name and title."""
    root = resources.files("oddgan.bench") / "specs"
    found = {}
    for path in sorted(Path(str(root)).rglob("*.yaml")):
        name = path.relative_to(str(root)).with_suffix("").as_posix()
        found[name] = yaml.safe_load(path.read_text(encoding="utf-8"))["title"]
    return found


def read_spec(what: str | Path, *, quick: bool = False, seeds: int | None = None) -> Spec:
    """Read a spec.

    Parameters
    ----------
    what : str or path
        The name of a built-in spec, or a YAML file.
    quick : bool
        Whether to take its small version: the keys under ``quick`` replace those above.
    seeds : int, optional
        How many seeds; the spec's own number by default.

    Returns
    -------
    Spec

    Raises
    ------
    ValueError
        If the file is not a spec; the message names the key and what was expected.
    """
    names = builtin_specs()
    if str(what) in names:
        path = Path(str(resources.files("oddgan.bench") / "specs" / f"{what}.yaml"))
        name = str(what)
    else:
        path, name = Path(what), Path(what).stem
        if not path.is_file():
            raise ValueError(
                f"{what} is neither a file nor a built-in spec; those are {', '.join(names)}"
            )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    try:
        spec = spec_from(values, name=name, quick=quick)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{what}: {error}") from error
    spec = replace(spec, words=(str(what),))
    return spec if seeds is None else with_seeds(spec, seeds)


def with_seeds(spec: Spec, n: int) -> Spec:
    """Return a spec with another number of seeds, which its command then says."""
    return replace(spec, seeds=seed_numbers(n), words=(*spec.words, "--seeds", str(n)))


def spec_from(values: Any, *, name: str, quick: bool = False) -> Spec:
    """Build a spec from the plain values of a YAML file; see `read_spec`."""
    check_keys(values, _KEYS, "a spec", {"title", "tasks", "methods", "headline"})
    small = values.get("quick")
    if quick and small is None:
        raise ValueError("it has no quick size")
    if small is not None:
        check_keys(small, _KEYS - {"quick"}, "quick")
    given, values = values, {**values, **(small if quick and small else {})}
    spec = Spec(
        name=name,
        title=str(values["title"]),
        about=str(values.get("about", "")).strip(),
        size="quick" if quick else "full",
        headline=_headline(values),
        tasks=tuple(
            task
            for each in mappings(values, "tasks", "a task")
            for task in _tasks(each, row_limits(values))
        ),
        methods=(
            *(m for each in mappings(values, "methods", "a method") for m in _methods(each)),
            *_others({"baselines": "all", **values}),
        ),
        seeds=seed_numbers(values.get("seeds", 1)),
        params=mapping(values, "params"),
        published=named(values, "published", "published paper", papers()),
        faults=named(values, "faults", "fault", FAULTS),
        keep_scores=bool(values.get("keep_scores", False)),
    )
    # What methods of the full size name may be left out of the quick one.
    tasks = [each for size in (values, given) for each in mappings(size, "tasks", "a task")]
    data = list(dict.fromkeys(str(task["data"]) for task in tasks if "data" in task))
    faults = list(dict.fromkeys([*spec.faults, *texts(given, "faults")]))
    _check_names(spec, data, faults)
    _check(spec)
    return spec


def _headline(values: Mapping[str, Any]) -> tuple[str, ...]:
    one = values["headline"]
    headline = (one,) if isinstance(one, str) else texts(values, "headline")
    for metric in headline:
        if metric not in METRICS:
            raise ValueError(f"headline {metric!r} is not a metric; there are {', '.join(METRICS)}")
    if not headline:
        raise ValueError(f"headline is at least one metric of {', '.join(METRICS)}, not {one!r}")
    return headline


def _check_names(spec: Spec, data: Collection[str], faults: Collection[str]) -> None:
    """Find methods that name data, faults or scores that are not there."""
    for method in spec.methods:
        for what, asked, known in (
            ("tasks", method.tasks or (), data),
            ("faults", method.faults or (), faults),
            ("published", method.published, method.scores),
        ):
            for name in asked:
                if name not in known:
                    raise ValueError(
                        f"the {what} of {method.title} name {name!r}; possible: "
                        f"{', '.join(known) or 'none'}"
                    )


def _check(spec: Spec) -> None:
    """Find wrong parameters and titles that occur twice before anything runs."""
    data = sorted({task.data for task in spec.tasks})
    for what, titles in (
        ("tasks", [task.title for task in spec.tasks]),
        # Methods that run on different data may share a title, and so a row.
        ("methods", [(d, m.title) for m in spec.methods for d in data if d in (m.tasks or data)]),
    ):
        if not titles:
            raise ValueError(f"it has no {what}")
        twice = [title for title, n in Counter(titles).items() if n > 1]
        if twice:
            raise ValueError(f"two of its {what} have the title {twice[0]!r}: give them titles")
    for cell in spec.cells():
        method = cell.method
        if method.kind == "detector":
            detector = detectors.all_detectors()[method.name](**method.params)
            for score in method.scores:
                detector.set_params(score_name=parse_score_name(score))._validate_params()


def _tasks(values: Any, caps: Mapping[str, int]) -> list[Task]:
    check_keys(values, _TASK_KEYS, "a task", {"data", "protocol"})
    protocol = mapping(values, "protocol")
    several = [key for key, value in protocol.items() if isinstance(value, list)]
    grid = [protocol[key] for key in several]
    data, load = _data(values)
    title = str(values.get("title", data))
    tasks = []
    for combination in product(*grid):
        one = {**protocol, **dict(zip(several, combination, strict=True))}
        from_dict(one)  # a wrong name or parameter is found now
        tasks.append(
            Task(
                title=" ".join([title, *map(str, combination)]),
                data=data,
                protocol=one,
                resplit=bool(values.get("resplit", False)),
                limits={**caps, **row_limits(values)},
                load=load,
                params=mapping(values, "params"),
            )
        )
    return tasks


def _data(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name or path of a task's data and how to load it: of a path with its digest."""
    data, load = str(values["data"]), mapping(values, "load")
    names = [info.name for info in datasets.available()]
    if data in names:
        return data, load
    path = Path(data)
    if not path.exists():
        raise ValueError(
            f"data {data!r} is neither a file or folder nor a data set; those are "
            f"{', '.join(names)}"
        )
    check_keys(load, {"label", "sha256"}, f"load of {data}")
    if not path.is_dir():
        if load.get("label") is None:
            raise ValueError(f"{data}: say with load: {{label: ...}} which column holds the truth")
        inputs.open_source(path, label=load["label"])  # a wrong column is found now
    # A cell is of this content and of no other: what changed is measured anew.
    return data, {**load, "sha256": load.get("sha256") or digest(path)}


def _methods(values: Any) -> list[Method]:
    check_keys(values, _METHOD_KEYS, "a method", {"detector"})
    known = detectors.all_detectors()
    name = str(values["detector"])
    if name not in known:
        raise ValueError(f"no detector is called {name!r}; there are {', '.join(known)}")
    cls = known[name]
    preset = values.get("preset")
    if preset is not None and preset not in cls.presets:
        raise ValueError(f"{name} has no preset {preset!r}; it has {', '.join(cls.presets)}")
    own = renamed(mapping(values, "params"))
    default = own.pop("score_name", cls.scores[0])
    scores = texts({"scores": [default], **values}, "scores")
    if not scores:
        raise ValueError(f"scores of {name} are at least one of {', '.join(cls.scores)}")
    if isinstance(values.get("published"), str):
        published = {scores[0]: values["published"]}
    else:
        published = mapping(values, "published")
    methods = []
    for grid in ParameterGrid(mapping(values, "grid")):
        said = [f"{key}={value}" for key, value in grid.items()]
        methods.append(
            Method(
                title=" ".join([str(values.get("title", cls.__name__)), *said]),
                kind="detector",
                name=name,
                preset=dict(cls.presets[preset]) if preset else {},
                params={**own, **grid},
                scores=scores,
                published=published,
                limits=row_limits(values),
                faults=texts(values, "faults") if "faults" in values else None,
                tasks=texts(values, "tasks") if "tasks" in values else None,
            )
        )
    return methods


def _others(values: Mapping[str, Any]) -> list[Method]:
    """Return the baselines asked for, and the third-party detectors that are installed."""
    chosen = named(values, "baselines", "baseline", BASELINES, or_all=True)
    beside = named(
        values, "third_party", "third-party detector", THIRD_PARTY_DETECTORS, or_all=True
    )
    return [
        *(Method(BASELINES[n].title, "baseline", n, seeded=BASELINES[n].random) for n in chosen),
        *(
            Method(
                THIRD_PARTY_DETECTORS[n].title,
                "third_party",
                n,
                seeded=THIRD_PARTY_DETECTORS[n].random,
            )
            for n in beside
            if THIRD_PARTY_DETECTORS[n].installed
        ),
    ]
