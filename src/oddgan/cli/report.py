"""``oddgan report``, and the reports that other commands write."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from numpy.typing import NDArray

from oddgan import detectors, evaluation, inputs
from oddgan.models import load_detector

from ._options import (
    Anomaly,
    AsJson,
    Condition,
    DataArgument,
    Label,
    ModelArgument,
    Normal,
    Pattern,
    Quiet,
    SkipBad,
)
from .data import Data, DataOptions, open_data, test_rows
from .output import check_path, list_skipped, messages, print_json, refuse_overwriting

#: The option of commands that can end with a report.
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="Also write a report, an HTML file.")
]


def report(
    model: ModelArgument,
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    condition: Condition = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    oddest: Annotated[int, typer.Option(help="How many anomalous samples to show.")] = 12,
    borderline: Annotated[
        int, typer.Option(help="How many samples next to the threshold to show.")
    ] = 6,
    title: Annotated[str | None, typer.Option(help="Heading of the report.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Report a model's results on data as one self-contained HTML file.

    For labelled data, the report covers what `oddgan evaluate` measures: without the rows that
    trained. Options that are not given are those of `oddgan fit`. The file needs no other file
    and no network.
    """
    check_report(out, (model, data))
    fitted = load_detector(model, device=device)
    fitted.verbose = int(not (quiet or as_json))  # detectors that search show progress
    command_options = DataOptions(
        label, anomaly, normal, pattern=pattern, skip_bad=skip_bad, condition=condition
    )
    options = command_options.filled_from(fitted.provenance_)
    opened = open_data(data, options, fitted.source)
    source, split = labelled(opened, options, fitted.provenance_)
    write(
        fitted,
        out,
        opened,
        data,
        source,
        split,
        model=model,
        n_oddest=oddest,
        n_borderline=borderline,
        title=title,
    )
    if as_json:
        print_json({"report": out, "n": source.count(), "skipped": source.skipped})
        return
    list_skipped(source)
    messages.print(f"Wrote {out}: open it in a browser.", markup=False)


def check_report(path: Path | None, protected: tuple[Path | str, ...], n_models: int = 1) -> None:
    """Refuse a report that cannot be written, would overwrite an input, or has several models."""
    if path is not None and n_models > 1:
        raise ValueError("--report is on one model: name one")
    check_path(path, (".html", ".htm"))
    refuse_overwriting([path], protected)


def labelled(
    opened: Data, options: DataOptions, origin: dict[str, Any]
) -> tuple[inputs.Source, evaluation.Split | None]:
    """Return the labelled samples to report on, or all samples if there are no labels."""
    if opened.dataset is None:
        return opened.source, None
    return test_rows(opened, options, origin)


def write_after_fit(
    fitted: Any,
    out: Path | None,
    opened: Data,
    data: str,
    training: inputs.Source,
    options: DataOptions,
    model: Path,
) -> None:
    """Write the report, if `out` is set: on labelled rows that did not train, else on all rows."""
    source, split = training, None
    if out and "protocol" in fitted.provenance_:
        source, split = test_rows(opened, options, fitted.provenance_)
    write(fitted, out, opened, data, source, split, model=model)


def write(
    fitted: detectors.Detector,
    out: Path | None,
    opened: Data,
    data: str,
    source: inputs.Source,
    split: evaluation.Split | None,
    *,
    model: Path,
    compared: Mapping[str, evaluation.Metrics] | None = None,
    **settings: Any,
) -> None:
    """Write the report, if `out` is set, on samples of DATA, with their provenance."""
    if out is None:
        return
    # Matplotlib takes half a second to import; other commands do not wait for it.
    from oddgan.reports import Origin, write_report

    is_file = opened.identity.startswith("sha256:")
    origin = Origin(
        data=data,
        identity=opened.identity if is_file else None,
        split=None if split is None else split.description,
        model=model.name,
        command=shlex.join(["oddgan", *sys.argv[1:]]),
        trained=split is None and fitted.provenance_.get("data") == opened.identity,
    )
    labels: NDArray[Any] | None = None if split is None else split.y_test
    write_report(fitted, source, out, labels, origin=origin, beside=compared, **settings)
