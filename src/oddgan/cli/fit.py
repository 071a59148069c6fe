"""``oddgan fit``."""

import glob
import json
import shlex
import time
from dataclasses import asdict
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from oddgan import Combination, detectors, inputs
from oddgan.estimator import parse_score_name, renamed, stored_threshold

from ._options import (
    Anomaly,
    AsJson,
    Condition,
    DataArgument,
    Groups,
    Label,
    Normal,
    Pattern,
    Quiet,
    SkipBad,
)
from .combining import check_combination, make_combination
from .data import DataOptions, open_data, open_samples, training_rows
from .output import list_skipped, messages, print_json, refuse_overwriting
from .report import ReportOption, check_report, write_after_fit


def fit(
    detector: Annotated[
        str,
        typer.Argument(
            help="A method, or auto; see `oddgan detectors`. Several with + between them, "
            "scikit-learn's too, are combined: vae+isolationforest."
        ),
    ],
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Model file to write.")],
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    train_fraction: Annotated[
        float,
        typer.Option(min=0.01, max=1, help="Share of a labelled table's normal rows that trains."),
    ] = 0.7,
    split_seed: Annotated[int, typer.Option(help="Which rows train and which test.")] = 0,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Which samples train and which test: a name, or YAML with parameters, e.g. "
            "'{name: one-class-anomalous, anomaly: 3, pooled: false}'."
        ),
    ] = None,
    condition: Condition = None,
    groups: Groups = None,
    preset: Annotated[str | None, typer.Option(help="Settings by name, e.g. paper-kdd.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Any parameter as NAME=VALUE; may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the training.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    report: ReportOption = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget the checkpoint of a stopped run.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a model on normal samples, and write it to a file.

    Only normal samples train. In labelled data (a data set by name, --label, or a folder with
    --normal or --anomaly) some normal samples are kept for `oddgan evaluate`, and --report covers
    these and the anomalies; otherwise it covers all samples, most of which trained.
    """
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"--out {out}: give a file in a folder that exists")
    refuse_overwriting([out], [data])
    check_report(report, (out, data))
    if "+" in detector:
        check_combination(preset=preset, condition=condition, report=report)
    checkpoint = out.with_name(out.name + ".ckpt")
    if restart:
        # Members that are not trained in one pass have separate checkpoints.
        for path in (checkpoint, *out.parent.glob(f"{glob.escape(checkpoint.name)}.*")):
            path.unlink(missing_ok=True)
    model = make(
        detector,
        preset,
        {
            "random_state": seed,
            "device": device,
            "checkpoint": checkpoint,
            "verbose": int(not (quiet or as_json)),
            **parse_settings(settings or []),
        },
    )
    options = DataOptions(
        label,
        anomaly,
        normal,
        train_fraction,
        split_seed,
        pattern,
        skip_bad,
        condition,
        groups,
        protocol,
    )
    opener = partial(open_samples, channels=getattr(model, "channels", "auto"))
    opened = open_data(data, options, opener).grouped(options)
    source, origin = training_rows(opened, options)
    start = time.perf_counter()
    try:
        model.fit(source)
    except KeyboardInterrupt:
        messages.print(f"Stopped. The same command resumes from {checkpoint}.")
        raise typer.Exit(130) from None
    seconds = time.perf_counter() - start
    model.provenance_ = origin
    model.save(out)
    write_after_fit(model, report, opened, data, source, options, out)
    n_samples = source.count() - len(source.skipped)
    n_held_out = len(model.calibration_scores_)
    if as_json:
        print_json(
            {
                "model": out,
                "detector": detector,
                "data": data,
                "split": origin.get("description"),
                "n_samples": n_samples,
                "n_held_out": n_held_out,
                "target_fpr": model.target_fpr,
                "threshold": stored_threshold(model.threshold_),
                "seconds": round(seconds, 2),
                **_losses_and_health(model),
                "skipped": source.skipped,
            }
        )
        return
    list_skipped(source)
    print(
        f"{type(model).__name__} learned from {n_samples} samples in {seconds:.0f} s; "
        f"{_held_out(model, source)} and set the threshold {in_words(model)}."
    )
    if "description" in origin:
        print(f"Split: {origin['description']}.")
    next_command = ["evaluate" if "description" in origin else "score", str(out), data]
    if source.has_condition and not source.condition_columns:  # columns are in DATA itself
        next_command += ["--condition", str(options.condition_argument)]
    if isinstance(model, detectors.Detector) and model.health_checks_ and not model.health_:
        print(f"Healthy: {len(model.health_checks_)} checks of the fit found nothing.")
    print(f"Wrote {out}. Next: oddgan {shlex.join(next_command)}")


def in_words(model: detectors.Detector | Combination) -> str:
    """Return the threshold and what it is for."""
    if isfinite(model.threshold_):
        return f"{model.threshold_:.6g}, to flag {model.target_fpr:.3g} of normal samples"
    return f"to infinity: {model.target_fpr:.3g} of normal samples is less than one of them"


def _losses_and_health(model: detectors.Detector | Combination) -> dict[str, Any]:
    """Return the last losses and failed health checks, for JSON; a combination has neither."""
    if isinstance(model, Combination):
        return {}
    health = [asdict(check) for check in model.health_]
    return {"losses": model.history_[-1] if model.history_ else {}, "health": health}


def _held_out(model: detectors.Detector | Combination, source: inputs.Source) -> str:
    """Return which samples set the threshold, in words."""
    n = len(model.calibration_scores_)
    if source.groups is not None:
        return f"one of each of {n} groups was held out"
    if isinstance(model, Combination):
        return f"{n} of them were held out, in addition to those for the p-values of the members,"
    if model.cross_fitted_:
        return "each was scored by a fit that held it out (cross-fitting)"
    return f"{n} of them were held out"


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE; a value is JSON where valid, else text; for a score, names with commas."""
    params: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, not {setting!r}")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = {"None": None, "True": True, "False": False}.get(text, text)
            is_score = name.rpartition("__")[2] in ("score_name", "score")
            value = parse_score_name(text) if is_score else value
        params[name] = tuple(value) if isinstance(value, list) else value
    return params


def make(name: str, preset: str | None, params: dict[str, Any]) -> detectors.Detector | Combination:
    """Return the detector or combination `name`, with a preset, if any, and parameters.

    Raises
    ------
    ValueError
        The detector, preset or parameter does not exist; the message lists the valid names.
    """
    if "+" in name:
        return make_combination(name, params)
    classes = detectors.all_detectors()
    name = "oddgan" if name.lower() == "auto" else name
    if name.lower() not in classes:
        raise ValueError(f"no detector is called {name!r}; there are {', '.join(classes)}")
    cls = classes[name.lower()]
    params = renamed(params)
    allowed = cls().get_params()
    for param in params:
        if param not in allowed:
            names = ", ".join(sorted(allowed))
            raise ValueError(f"{name} has no parameter {param!r}; it has {names}")
    return cls.from_preset(preset, **params) if preset else cls(**params)
