"""Specs from YAML: built-in ones by name, or files."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from oddgan import detectors
from oddgan.estimator import parse_score_name
from oddgan.evaluation.metrics import METRICS
from oddgan.evaluation.published import papers

from .entries import methods_from, other_methods, tasks_from
from .faults import FAULTS
from .spec import Spec
from .values import check_keys, known_names, mapping, mappings, row_limits, seed_numbers, texts

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


def builtin_specs() -> dict[str, str]:
    """Return the title of each built-in spec by name."""
    root = resources.files("oddgan.bench") / "specs"
    titles = {}
    for path in sorted(Path(str(root)).rglob("*.yaml")):
        name = path.relative_to(str(root)).with_suffix("").as_posix()
        titles[name] = yaml.safe_load(path.read_text(encoding="utf-8"))["title"]
    return titles


def read_spec(source: str | Path, *, quick: bool = False, seeds: int | None = None) -> Spec:
    """Read a spec.

    Parameters
    ----------
    source : str or path
        The name of a built-in spec, or a YAML file.
    quick : bool
        Whether to take the small version, where the keys under ``quick`` replace the others.
    seeds : int, optional
        Number of seeds; by default the spec's.

    Returns
    -------
    Spec

    Raises
    ------
    ValueError
        If the file is not a valid spec; the message names the key and the expected values.
    """
    names = builtin_specs()
    if str(source) in names:
        path = Path(str(resources.files("oddgan.bench") / "specs" / f"{source}.yaml"))
        name = str(source)
    else:
        path, name = Path(source), Path(source).stem
        if not path.is_file():
            raise ValueError(
                f"{source} is neither a file nor a built-in spec; there are {', '.join(names)}"
            )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    try:
        spec = spec_from(values, name=name, quick=quick)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{source}: {error}") from error
    spec = replace(spec, arguments=(str(source),))
    return spec if seeds is None else with_seeds(spec, seeds)


def with_seeds(spec: Spec, n: int) -> Spec:
    """Return the spec with another number of seeds, also in its command."""
    return replace(spec, seeds=seed_numbers(n), arguments=(*spec.arguments, "--seeds", str(n)))


def spec_from(values: Any, *, name: str, quick: bool = False) -> Spec:
    """Build a spec from the plain values of a YAML file; see `read_spec`."""
    _refuse_old_key(values)
    check_keys(values, _KEYS, "a spec", {"title", "tasks", "methods", "headline"})
    small = values.get("quick")
    if quick and small is None:
        raise ValueError("it has no quick size")
    if small is not None:
        _refuse_old_key(small)
        check_keys(small, _KEYS - {"quick"}, "quick")
    full, values = values, {**values, **(small if quick and small else {})}
    spec = Spec(
        name=name,
        title=str(values["title"]),
        about=str(values.get("about", "")).strip(),
        size="quick" if quick else "full",
        headline=_headline(values),
        tasks=tuple(
            task
            for entry in mappings(values, "tasks", "a task")
            for task in tasks_from(entry, row_limits(values))
        ),
        methods=(
            *(m for entry in mappings(values, "methods", "a method") for m in methods_from(entry)),
            *other_methods({"baselines": "all", **values}),
        ),
        seeds=seed_numbers(values.get("seeds", 1)),
        params=mapping(values, "params"),
        published=known_names(values, "published", "published paper", papers()),
        faults=known_names(values, "faults", "fault", FAULTS),
        keep_scores=bool(values.get("keep_scores", False)),
    )
    # The quick size may leave out data and faults that methods of the full size name.
    tasks = [entry for size in (values, full) for entry in mappings(size, "tasks", "a task")]
    data = list(dict.fromkeys(str(task["data"]) for task in tasks if "data" in task))
    faults = list(dict.fromkeys([*spec.faults, *texts(full, "faults")]))
    _check_names(spec, data, faults)
    _check(spec)
    return spec


def _refuse_old_key(values: Any) -> None:
    if isinstance(values, Mapping) and "peers" in values:
        raise ValueError("the key 'peers' is called 'third_party' now")


def _headline(values: Mapping[str, Any]) -> tuple[str, ...]:
    value = values["headline"]
    headline = (value,) if isinstance(value, str) else texts(values, "headline")
    for metric in headline:
        if metric not in METRICS:
            raise ValueError(f"headline {metric!r} is not a metric; there are {', '.join(METRICS)}")
    if not headline:
        raise ValueError(f"headline is at least one metric of {', '.join(METRICS)}, not {value!r}")
    return headline


def _check_names(spec: Spec, data: Collection[str], faults: Collection[str]) -> None:
    """Raise ValueError if a method names unknown data, faults or scores."""
    for method in spec.methods:
        for key, names, choices in (
            ("tasks", method.tasks or (), data),
            ("faults", method.faults or (), faults),
            ("published", method.published, method.scores),
        ):
            for name in names:
                if name not in choices:
                    raise ValueError(
                        f"the {key} of {method.title} name {name!r}; possible: "
                        f"{', '.join(choices) or 'none'}"
                    )


def _check(spec: Spec) -> None:
    """Raise before anything runs if parameters are wrong or titles are not unique."""
    data = sorted({task.data for task in spec.tasks})
    for key, titles in (
        ("tasks", [task.title for task in spec.tasks]),
        # Methods for different data may share a title, and so a row.
        ("methods", [(d, m.title) for m in spec.methods for d in data if d in (m.tasks or data)]),
    ):
        if not titles:
            raise ValueError(f"it has no {key}")
        duplicates = [title for title, n in Counter(titles).items() if n > 1]
        if duplicates:
            raise ValueError(
                f"two of its {key} have the title {duplicates[0]!r}: give them different titles"
            )
    for cell in spec.cells():
        method = cell.method
        if method.kind == "detector":
            detector = detectors.all_detectors()[method.name](**method.params)
            for score in method.scores:
                detector.set_params(score_name=parse_score_name(score))._validate_params()
