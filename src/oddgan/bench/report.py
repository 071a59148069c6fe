"""Facts about an experiment besides its results, and tables as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["normal", "baseline", "published", "prevalence", "heading"]


@dataclass(frozen=True, eq=False)
class Report:
    """The facts about an experiment that its tables need.

    Attributes
    ----------
    title, about : str
    headline : tuple of str
        Metrics to compare methods by, most important first.
    tasks : tuple of str
        Titles of the tasks, in order.
    rows, others : tuple of str
        Titles of our rows, and of the rows of baselines and third-party detectors, in order.
    planned : mapping of (row title, task title, faults) to int
        Number of planned seeds; commas join the faults. Combinations that were never planned are
        missing, for example a baseline that does not apply to a task.
    published : tuple of dict
        Records with ``row`` (title of ours, or None), ``method`` (the published name), ``data``,
        ``task`` (None for a mean over classes), ``metric``, ``value``, ``sd`` (or None),
        ``decimals`` (as printed), ``over`` (number of classes of a mean, or None), ``whole``
        (whether the tasks are exactly the classes of the printed mean or table), ``own``,
        ``provenance``, ``via``, ``confidence``, ``cite``, ``source_note`` and ``note`` (see
        `Published`).
    command : str
        The command that repeats the experiment.
    size : {"full", "quick"}
    limits : str
        Description of the row limits; may be empty.
    protocols : mapping of str to str
        Description of the split by task.
    faults : mapping of str to str
        Description of each fault that was switched on.
    """

    title: str
    about: str
    headline: tuple[str, ...]
    tasks: tuple[str, ...]
    rows: tuple[str, ...]
    others: tuple[str, ...]
    planned: Mapping[tuple[str, str, str], int]
    published: tuple[Mapping[str, Any], ...] = ()
    command: str = ""
    size: Literal["full", "quick"] = "full"
    limits: str = ""
    protocols: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def kind(self, row: str) -> Kind:
        """Return the kind of a row by its title."""
        return "normal" if row in self.rows else "baseline"


@dataclass(frozen=True)
class Row:
    """A line of a table: title, cells as text, and kind."""

    title: str
    cells: tuple[str, ...] = ()
    kind: Kind = "normal"


@dataclass(frozen=True)
class Grid:
    """A table: caption, column titles, rows, and a note below.

    A row of kind ``heading`` has a title and no cells; all others have one cell per column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A section below the tables: title and lines of text, shown verbatim if `code` is True."""

    title: str
    lines: tuple[str, ...]
    code: bool = False
