"""Run an experiment and write its tables."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .describe import describe
from .page import html
from .progress import Bar, Silent
from .reading import read_spec
from .report import Report
from .results import tidy, write_parquet
from .runner import run_cells
from .spec import Spec
from .store import read_result
from .tables import markdown


@dataclass(frozen=True, eq=False)
class Results:
    """The results of an experiment.

    Attributes
    ----------
    spec : Spec
    folder : pathlib.Path
        Holds `results.parquet`, `table.md`, `table.html` and the cells.
    frame : DataFrame
        One line for each cell and score, see `results.tidy`.
    report : Report
        What the tables state besides the results.
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
    """Run an experiment, or the missing part of it, and write its tables.

    Parameters
    ----------
    spec : str, path or Spec
        The name of a built-in spec (`builtin_specs`), a YAML file, or a spec.
    out : path, optional
        Folder of the results; ``bench-results/<name>-<size>`` by default. Cells of this
        experiment that it already has are not measured again.
    quick : bool
        Whether to run the small version.
    jobs : int, optional
        Number of parallel processes, each with one thread; by default the number of cores.
    seeds : int, optional
        Number of seeds, instead of the spec's.
    as_published : sequence of str
        Faults of the papers' code to switch on, for example ``"unscaled"``.
    fresh : bool
        Whether to measure cells again that the folder already has.
    progress : bool
        Whether to show progress on standard error.

    Returns
    -------
    Results

    Raises
    ------
    ValueError
        If the spec is invalid or a fault is unknown.
    RuntimeError
        If another run uses the folder.
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
        collect(spec, folder, as_published)  # the results so far
        raise
    return collect(spec, folder, as_published)


def collect(spec: Spec, folder: Path, as_published: Sequence[str] = ()) -> Results:
    """Build the tables from the cells that a folder has, and write them there."""
    cells = spec.cells(as_published)
    by_cell = [read_result(folder / "cells", cell) for cell in cells]
    frame = tidy([result for result in by_cell if result is not None])
    results = Results(spec, folder, frame, describe(spec, cells, by_cell, as_published))
    write_parquet(frame, folder / "results.parquet")
    (folder / "table.md").write_text(results.markdown(), encoding="utf-8")
    (folder / "table.html").write_text(results.html(), encoding="utf-8")
    return results


def default_folder(spec: Spec) -> Path:
    """Return the default folder for the results of a spec."""
    return Path("bench-results") / f"{spec.name.replace('/', '-')}-{spec.size}"
