"""``oddgan drift``."""

import warnings
from dataclasses import asdict
from typing import Annotated

import typer

from oddgan import decisions
from oddgan.models import load_detector

from ._options import AsJson, Condition, DataArgument, Label, ModelArgument, Pattern, Quiet, SkipBad
from .data import DataOptions, open_data
from .output import list_skipped, print_json


def drift(
    model: ModelArgument,
    data: DataArgument,
    alpha: Annotated[
        float, typer.Option(help="Probability of calling a batch of normal samples drifted.")
    ] = 0.01,
    label: Label = None,
    condition: Condition = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Test whether new samples still score like normal ones: exit code 0 if so, 3 if not.

    More anomalies and a changed process look alike.
    """
    decisions.check_share("alpha", alpha)
    fitted = load_detector(model, device=device)
    fitted.verbose = int(not (quiet or as_json))
    options = DataOptions(label, pattern=pattern, skip_bad=skip_bad, condition=condition)
    opened = open_data(data, options, fitted.source)
    if fitted.provenance_.get("data") == opened.identity:
        warnings.warn(
            f"{model} was fitted on rows of this data, which score lower than new ones",
            stacklevel=1,
        )
    result = fitted.drift(opened.source, alpha=alpha)
    if as_json:
        print_json({**asdict(result), "skipped": opened.source.skipped})
    else:
        list_skipped(opened.source)
        print(f"{'Drift' if result.drifted else 'No drift'}. {result.message}")
    raise typer.Exit(3 if result.drifted else 0)
