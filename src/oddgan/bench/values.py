"""Checks of the plain values of a YAML file, before anything runs.

A key without a value counts as an empty list or mapping.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any


def check_keys(values: Any, allowed: set[str], name: str, required: Iterable[str] = ()) -> None:
    """Raise ValueError unless `values` is a mapping with allowed and all required keys."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} is a mapping of {', '.join(sorted(allowed))}, not {values!r:.60}")
    for key in values:
        if key not in allowed:
            raise ValueError(f"{name} has no key {key!r}; it may have {', '.join(sorted(allowed))}")
    for key in sorted(required):
        if key not in values:
            raise ValueError(f"{name} needs the key {key!r}")


def mapping(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping under a key; an empty one if there is none."""
    value = values.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{key} is a mapping, not {value!r:.60}")
    return dict(value)


def mappings(values: Mapping[str, Any], key: str, entry: str) -> list[Any]:
    """Return the list of mappings under a key; `entry` names an entry in messages."""
    value = values.get(key)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{key} is a list in which {entry} is a mapping, not {value!r:.60}")
    return value or []


def texts(
    values: Mapping[str, Any], key: str, expected: str = "a list of names"
) -> tuple[str, ...]:
    """Return the list of names under a key; an empty one if there is none."""
    value = values.get(key)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key} is {expected}, not {value!r:.60}")
    return tuple(value)


def known_names(
    values: Mapping[str, Any],
    key: str,
    kind: str,
    choices: Collection[str],
    *,
    or_all: bool = False,
) -> tuple[str, ...]:
    """Return the names under a key, all from `choices`; with `or_all` ``all`` means all of them."""
    if or_all and values.get(key) == "all":
        return tuple(choices)
    names = texts(values, key, "a list of names or all" if or_all else "a list of names")
    for name in names:
        if name not in choices:
            raise ValueError(f"no {kind} is called {name!r}; there are {', '.join(choices)}")
    return names


def row_limits(values: Mapping[str, Any]) -> dict[str, int]:
    """Return the row limits under ``limits``."""
    limits = mapping(values, "limits")
    check_keys(limits, {"train", "test"}, "limits")
    for key, most in limits.items():
        if not _is_number(most) or most < 1:
            raise ValueError(f"limits: {key} is a number of rows, at least 1, not {most!r}")
    return limits


def seed_numbers(value: Any) -> tuple[int, ...]:
    """Return the seeds: those of a list, or 0 to n - 1 for a number n."""
    seeds = tuple(value) if isinstance(value, list | tuple) else ()
    if _is_number(value):
        seeds = tuple(range(value))
    valid = all(_is_number(seed) and seed >= 0 for seed in seeds)
    if not seeds or not valid or len(set(seeds)) < len(seeds):
        raise ValueError(
            f"seeds are a number of at least 1 or a list of different numbers, not {value!r:.60}"
        )
    return seeds


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
