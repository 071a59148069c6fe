"""``oddgan calibrate``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from oddgan.models import load_detector

from ._options import Anomaly, AsJson, Condition, DataArgument, Label, ModelArgument, Normal, Quiet
from .data import DataOptions, open_data, test_rows
from .output import messages, print_json, refuse_overwriting


def calibrate(
    model: ModelArgument,
    data: DataArgument,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    method: Annotated[
        Literal["sigmoid", "isotonic"],
        typer.Option(
            help="Platt's sigmoid, or any increasing curve (1,000 labelled samples or more)."
        ),
    ] = "sigmoid",
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Share of anomalies where the model will be used; by default that of DATA."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Model file to write; by default MODEL itself."),
    ] = None,
    condition: Condition = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit probabilities to labelled samples that did not train the model.

    If the model was fitted on the same data, its test samples are used.
    """
    refuse_overwriting([out], [data])
    fitted = load_detector(model)
    saved_verbosity = fitted.verbose
    fitted.verbose = int(not (quiet or as_json))
    options = DataOptions(label, anomaly, normal, condition=condition).filled_from(
        fitted.provenance_
    )
    source, split = test_rows(open_data(data, options, fitted.source), options, fitted.provenance_)
    fitted.calibrate_proba(source, split.y_test, method=method, prevalence=prevalence)
    fitted.verbose = saved_verbosity
    target = out or model
    fitted.save(target)
    calibration = fitted.proba_calibration_
    if as_json:
        print_json({"model": target, **asdict(calibration)})
        return
    messages.print(
        f"Probabilities by {calibration.method} calibration on {calibration.n_normal} normal and "
        f"{calibration.n_anomalous} anomalous samples, for a share of anomalies of "
        f"{calibration.prevalence:.3g}. Wrote {target}. Next: oddgan score {target} NEW --proba"
    )
