"""Experiments: the product of tasks, methods and seeds, run in parallel, resumable, as one table.

A spec, a YAML file or the name of a built-in one, says what is measured::

    from oddgan.evaluation import bench

    results = bench.run("paper/egbad-kdd", quick=True, out="egbad-kdd")
    print(results.markdown())
    results.frame  # one line for each cell and score

Each cell (one method on one task with one seed) is on disk before the next one starts. An
interrupted run resumes where it stopped when it is started again.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .describe import describe
from .page import html
from .progress import Bar, Silent
from .reading import builtin_specs, read_spec
from .report import Report
from .results import tidy, write_parquet
from .runner import run_cells
from .spec import Cell, Method, Spec, Task
from .store import read_result
from .tables import markdown

__all__ = ["Cell", "Method", "Results", "Spec", "Task", "builtin_specs", "read_spec", "run"]


@dataclass(frozen=True, eq=False)
class Results:
    """What an experiment found.

    Attributes
    ----------
    spec : Spec
    folder : pathlib.Path
        Where `results.parquet`, `table.md` and `table.html` are, and the cells.
    frame : DataFrame
        One line for each cell and score: see `results.tidy`.
    report : Report
        What the tables say beside the figures.
    """

    spec: Spec
    folder: Path
    frame: pd.DataFrame
    report: Report

    def markdown(self) -> str:
        """Return all tables as Markdown."""
        return markdown(self.report, self.frame)

    def html(self) -> str:
        """Return all tables as one self-contained HTML page."""
        return html(self.report, self.frame)

    @property
    def failed(self) -> pd.DataFrame:
        """The lines of cells that failed, with the `error` of each."""
        return self.frame[self.frame["status"] == "failed"]


def run(
    spec: str | Path | Spec,
    *,
    out: str | Path | None = None,
    quick: bool = False,
    jobs: int | None = None,
    seeds: int | None = None,
    as_published: Sequence[str] = (),
    fresh: bool = False,
    progress: bool = False,
) -> Results:
    """Run an experiment, or what is missing of it, and write its tables.

    Parameters
    ----------
    spec : str, path or Spec
        The name of a built-in spec (`builtin_specs`), a YAML file, or a spec.
    out : path, optional
        Folder of the results; ``bench-results/<name>-<size>`` by default. What it has of this
        experiment already is kept.
    quick : bool
        Whether to run the small version.
    jobs : int, optional
        Processes side by side, each with one thread; the number of cores by default.
    seeds : int, optional
        How many seeds, instead of the spec's own number.
    as_published : sequence of str
        Faults of the papers' code to show, such as ``"unscaled"``.
    fresh : bool
        Whether to measure anew what is there.
    progress : bool
        Whether to show progress on standard error.

    Returns
    -------
    Results

    Raises
    ------
    ValueError
        If the spec or a fault is not what was expected.
    RuntimeError
        If another run works in the folder.
    """
    if not isinstance(spec, Spec):
        spec = read_spec(spec, quick=quick, seeds=seeds)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}; it must be at least 1")
    folder = default_folder(spec) if out is None else Path(out)
    cells = spec.cells(as_published)
    listener = Bar() if progress else Silent()
    try:
        run_cells(
            cells,
            folder / "cells",
            jobs=jobs or os.cpu_count() or 1,
            listener=listener,
            fresh=fresh,
        )
    except KeyboardInterrupt:
        collect(spec, folder, as_published)  # what there is
        raise
    return collect(spec, folder, as_published)


def collect(spec: Spec, folder: Path, as_published: Sequence[str] = ()) -> Results:
    """Make the tables of what a folder has of an experiment, and write them there."""
    cells = spec.cells(as_published)
    read = [read_result(folder / "cells", cell) for cell in cells]
    frame = tidy([result for result in read if result is not None])
    results = Results(spec, folder, frame, describe(spec, cells, read, as_published))
    write_parquet(frame, folder / "results.parquet")
    (folder / "table.md").write_text(results.markdown(), encoding="utf-8")
    (folder / "table.html").write_text(results.html(), encoding="utf-8")
    return results


def default_folder(spec: Spec) -> Path:
    """Return where the results of a spec go unless a folder is named."""
    return Path("bench-results") / f"{spec.name.replace('/', '-')}-{spec.size}"
