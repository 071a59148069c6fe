"""``oddgan bench``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from oddgan import bench as experiments
from oddgan.bench.selection import choose, selection_spec
from oddgan.bench.tables import terminal

from ._options import Anomaly, AsJson, Label, Quiet
from .output import messages, print_json


def bench(
    spec: Annotated[
        str | None,
        typer.Argument(help="A built-in experiment or a YAML file; without it, list them."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Compare detectors on this labelled data instead (CSV, Parquet, ...)."),
    ] = None,
    label: Label = None,
    anomaly: Anomaly = None,
    quick: Annotated[bool, typer.Option("--quick", help="The small version: minutes.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results; bench-results/NAME by default."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Parallel processes; by default one per core.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many seeds.")] = None,
    as_published: Annotated[
        str,
        typer.Option(help="Faults of the papers' code to switch on, e.g. unscaled,oracle-epoch."),
    ] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ignore stored results and measure again.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild a paper's table, or compare detectors on your own labelled data.

    Each result is on disk before the next one starts: an interrupted run resumes where it stopped
    when you give the same command again. The folder gets results.parquet, table.md and table.html.
    """
    if spec is not None and data is not None:
        raise ValueError("give an experiment or --data, not both")
    if data is None and (label or anomaly):
        raise ValueError("--label and --anomaly go with --data")
    if spec is None and data is None:
        _list(as_json)
        return
    if data is None:
        experiment = experiments.read_spec(str(spec), quick=quick, seeds=seeds)
    else:
        experiment = selection_spec(data, label, anomaly, quick=quick, seeds=seeds)
    results = experiments.run(
        experiment,
        out=out,
        jobs=jobs,
        as_published=[fault for fault in as_published.split(",") if fault],
        fresh=fresh,
        progress=not quiet and not as_json,
    )
    if not as_json:
        Console().print(terminal(results.report, results.frame))
    choice = None if data is None else choose(results)
    if as_json:
        print_json(
            {
                "folder": str(results.folder),
                "results": json.loads(results.frame.to_json(orient="records")),
                "choice": choice and choice.as_dict(),
            }
        )
    else:
        if choice:
            print("\n".join(choice.sentences()))
        messages.print(f"All tables: {results.folder / 'table.html'} (and table.md)")
    if len(results.failed):
        messages.print(f"{len(results.failed)} results failed: give the command again to retry.")
        raise typer.Exit(1)


def _list(as_json: bool) -> None:
    specs = experiments.builtin_specs()
    if as_json:
        print_json(specs)
        return
    table = Table("experiment", "title", box=None)
    for name, title in specs.items():
        table.add_row(name, title)
    Console().print(table)
    print("oddgan bench EXPERIMENT --quick runs one in minutes; without --quick at full size.")
