"""Plain values of a YAML file: what each key must hold, found out before anything runs.

A key with nothing behind it holds nothing: an empty list or mapping.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any


def check_keys(values: Any, known: set[str], what: str, needed: Iterable[str] = ()) -> None:
    """Raise ValueError unless `values` is a mapping of known keys that has the needed ones."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{what} is a mapping of {', '.join(sorted(known))}, not {values!r:.60}")
    for key in values:
        if key not in known:
            raise ValueError(f"{what} has no key {key!r}; it may have {', '.join(sorted(known))}")
    for key in sorted(needed):
        if key not in values:
            raise ValueError(f"{what} needs the key {key!r}")


def mapping(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping under a key; an empty one if there is none."""
    value = values.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{key} is a mapping, not {value!r:.60}")
    return dict(value)


def mappings(values: Mapping[str, Any], key: str, what: str) -> list[Any]:
    """Return the list of mappings under a key; `what` names an entry in messages."""
    value = values.get(key)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{key} is a list in which {what} is a mapping, not {value!r:.60}")
    return value or []


def texts(values: Mapping[str, Any], key: str, what: str = "a list of names") -> tuple[str, ...]:
    """Return the list of names under a key; an empty one if there is none."""
    value = values.get(key)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key} is {what}, not {value!r:.60}")
    return tuple(value)


def named(
    values: Mapping[str, Any],
    key: str,
    what: str,
    known: Collection[str],
    *,
    or_all: bool = False,
) -> tuple[str, ...]:
    """Return the names under a key, each of which must be known; perhaps ``all`` stands for all."""
    if or_all and values.get(key) == "all":
        return tuple(known)
    names = texts(values, key, "a list of names or all" if or_all else "a list of names")
    for name in names:
        if name not in known:
            raise ValueError(f"no {what} is called {name!r}; there are {', '.join(known)}")
    return names


def row_limits(values: Mapping[str, Any]) -> dict[str, int]:
    """Return the caps on rows under ``limits``."""
    found = mapping(values, "limits")
    check_keys(found, {"train", "test"}, "limits")
    for key, most in found.items():
        if not _is_number(most) or most < 1:
            raise ValueError(f"limits: {key} is a number of rows, at least 1, not {most!r}")
    return found


def seed_numbers(value: Any) -> tuple[int, ...]:
    """Return the seeds: a list as it is, of a number n those from 0 to n - 1."""
    several = tuple(value) if isinstance(value, list | tuple) else ()
    if _is_number(value):
        several = tuple(range(value))
    right = all(_is_number(seed) and seed >= 0 for seed in several)
    if not several or not right or len(set(several)) < len(several):
        raise ValueError(
            f"seeds are a number of at least 1 or a list of numbers, each once, not {value!r:.60}"
        )
    return several


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
