"""What is said about an experiment beside its figures, and tables as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["normal", "baseline", "published", "prevalence", "heading"]


@dataclass(frozen=True, eq=False)
class Report:
    """An experiment as its tables need it.

    Attributes
    ----------
    title, about : str
    headline : tuple of str
        Metrics in which methods are compared, the first foremost.
    tasks : tuple of str
        Titles of the tasks, in order.
    rows, others : tuple of str
        Titles of our rows, and of those of baselines and third-party detectors, in order.
    planned : mapping of (row title, task title, faults) to int
        How many seeds were planned; faults are joined by commas. What is not in it was never
        meant to run, such as a baseline that does not apply to a task.
    published : tuple of dict
        Records with ``row`` (title of ours, or None), ``method`` (the published name), ``data``,
        ``task`` (None for a mean over classes), ``metric``, ``value``, ``sd`` (or None),
        ``decimals`` (as printed), ``over`` (how many classes a mean is over, or None), ``whole``
        (whether the tasks are just the classes that the mean, or the table, is over), ``own``,
        ``provenance``, ``via``, ``confidence``, ``cite``, ``source_note`` and ``note`` (see
        `Published`).
    command : str
        What measures all this again.
    size : {"full", "quick"}
    limits : str
        What was subsampled; empty for nothing.
    protocols : mapping of str to str
        What the protocol of each task states.
    faults : mapping of str to str
        What each fault is that was switched on.
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
        """Return what kind of line a row of these titles is."""
        return "normal" if row in self.rows else "baseline"


@dataclass(frozen=True)
class Row:
    """A line of a table: its title, its cells as text, and what kind of line it is."""

    title: str
    cells: tuple[str, ...] = ()
    kind: Kind = "normal"


@dataclass(frozen=True)
class Grid:
    """A table: a caption, a note that stands below it, the columns' titles and the rows.

    A row of kind ``heading`` has a title and no cells; all others have one for each column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Facts below the tables: a title and lines of text; `code` to be shown as typed."""

    title: str
    lines: tuple[str, ...]
    code: bool = False
