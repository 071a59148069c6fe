"""``oddgan inspect``."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from oddgan import Combination, detectors, inputs, models
from oddgan.estimator import stored_threshold

from ._options import AsJson, ModelArgument
from .output import print_json

#: The maximum number of columns to list; the JSON object has all.
_MAX_COLUMNS = 12


def inspect(model: ModelArgument, as_json: AsJson = False) -> None:
    """Show the content of a model file: its training, its threshold and its health.

    The exit code is 0 even for an unhealthy model.
    """
    fitted = models.load(model, device="cpu")
    if isinstance(fitted, Combination):
        _inspect_combination(fitted, model, as_json)
        return
    description = describe(fitted)
    if as_json:
        checks = [{**asdict(check), "found": not check.passed} for check in fitted.health_checks_]
        print_json({"model": model, **description, "health": checks})
        return
    _print(_in_words(description))
    print(fitted.health_report())


def _print(words: Mapping[str, str]) -> None:
    table = Table.grid("property", "value", padding=(0, 2))
    for name, value in words.items():
        table.add_row(name, Text(value))
    Console(highlight=False).print(table)


def _inspect_combination(fitted: Combination, model: Path, as_json: bool) -> None:
    n = len(fitted.calibration_scores_)
    description: dict[str, Any] = {
        "detector": "Combination",
        "rule": fitted.rule_,
        "members": {name: str(member) for name, member in fitted.members_.items()},
        "input": _input(fitted.codec_),
        "training_rows": fitted.n_train_,
        "held_out_rows": n,
        "target_fpr": fitted.target_fpr,
        "threshold": stored_threshold(fitted.threshold_),
        "smallest_p_value": 1 / (n + 1),
        "provenance": fitted.provenance_,
    }
    if as_json:
        print_json({"model": model, **description})
        return
    origin = fitted.provenance_
    _print(
        {
            "detector": f"Combination, rule {description['rule']}",
            **{f"member {name}": member for name, member in description["members"].items()},
            "samples": _samples(description["input"]),
            "rows": f"{fitted.n_train_} trained, {n} held out in addition to those for p-values",
            **_decision(description),
            "data": str(origin.get("description") or origin.get("data") or "not known"),
        }
    )


def describe(fitted: detectors.Detector) -> dict[str, Any]:
    """Return the properties of a fitted detector by name, ready for JSON."""
    n = len(fitted.calibration_scores_)
    defaults = type(fitted)().get_params()
    params = fitted.fitted_params_
    description: dict[str, Any] = {
        "detector": type(fitted).__name__,
        "reference": fitted.reference,
        "parameters": {
            k: v for k, v in sorted(params.items()) if v != defaults[k] and k != "verbose"
        },
        "input": {
            **_input(fitted.codec_),
            "condition": list(fitted.condition_columns_) or fitted.condition_codec_ is not None,
        },
        "weights": sum(p.numel() for net in fitted.networks_.values() for p in net.parameters()),
        "training_rows": fitted.n_train_,
        "held_out_rows": n,
        "cross_fitted": fitted.cross_fitted_,
        "target_fpr": params["target_fpr"],
        "threshold": stored_threshold(fitted.threshold_),
        "smallest_p_value": 1 / (n + 1),
        "probabilities": _probabilities(fitted),
        "training": _history(fitted.history_),
        "provenance": fitted.provenance_,
        "fitted_with": fitted.versions_,
        "read_with": {"oddgan": importlib.metadata.version("oddgan")},
    }
    return description


def _input(codec: inputs.Codec) -> dict[str, Any]:
    columns = [column.name for column in codec.columns] or None
    return {"kind": codec.kind, "columns": columns, "shape": list(codec.shape)}


def _probabilities(fitted: detectors.Detector) -> dict[str, Any] | None:
    """Return how probabilities were calibrated, or None if they were not."""
    if not hasattr(fitted, "proba_calibration_"):
        return None
    fields = asdict(fitted.proba_calibration_)
    return {name: fields[name] for name in ("method", "n_normal", "n_anomalous", "prevalence")}


def _history(history: list[dict[str, float]]) -> dict[str, Any]:
    """Return the number of training steps, and the first and last value of each loss."""
    if not history:
        return {}
    losses: dict[str, list[float]] = {}
    for entry in history:
        for name, value in entry.items():
            if name != "step":
                losses.setdefault(name, []).append(value)
    return {
        "steps": int(history[-1]["step"]),
        "losses": {
            name: {"first": values[0], "last": values[-1]} for name, values in losses.items()
        },
    }


def _samples(input_description: Mapping[str, Any]) -> str:
    columns = input_description["columns"]
    if not columns:
        return f"{input_description['kind']}s of {' x '.join(map(str, input_description['shape']))}"
    ellipsis = ", ..." if len(columns) > _MAX_COLUMNS else ""
    names, width = ", ".join(columns[:_MAX_COLUMNS]), input_description["shape"][0]
    return f"table, columns {names}{ellipsis}: {len(columns)}, encoded as {width}"


def _decision(description: Mapping[str, Any]) -> dict[str, str]:
    n, target_fpr = description["held_out_rows"], description["target_fpr"]
    threshold = f"none: too few held-out rows to flag {target_fpr:.3g} of normal samples"
    if description["threshold"] is not None:
        threshold = f"{description['threshold']:.6g}, to flag {target_fpr:.3g} of normal samples"
    return {
        "threshold": threshold,
        "resolution": f"the smallest p-value is 1/{n + 1} = {1 / (n + 1):.2g}",
    }


def _in_words(description: dict[str, Any]) -> dict[str, str]:
    samples, condition = _samples(description["input"]), description["input"]["condition"]
    training = description["training"]
    if condition:
        samples += f"; condition: {', '.join(condition) if condition is not True else 'given'}"
    losses = [
        f"{name} loss {loss['first']:.4g} at first, {loss['last']:.4g} at last"
        for name, loss in training.get("losses", {}).items()
    ]
    steps = "; ".join([f"{training['steps']} steps", *losses]) if training else "no training steps"
    n = description["held_out_rows"]
    rows = f"{description['training_rows']} trained, {n} were held out"
    if description["cross_fitted"]:
        rows = (
            f"{description['training_rows']} trained; the threshold is set by all {n}, each scored "
            "by a fit that held it out (cross-fitting)"
        )
    origin = description["provenance"]
    calibration = description["probabilities"]
    probabilities = "none: they need labelled samples (oddgan calibrate)"
    if calibration:
        probabilities = (
            f"{calibration['method']}, by {calibration['n_normal']} normal and "
            f"{calibration['n_anomalous']} anomalous samples, for a share of "
            f"{calibration['prevalence']:.3g} anomalies"
        )
    return {
        "detector": f"{description['detector']} ({description['reference']})",
        "settings": ", ".join(f"{k}={v}" for k, v in description["parameters"].items())
        or "default",
        "samples": samples,
        "rows": rows,
        **_decision(description),
        "probabilities": probabilities,
        "training": f"{steps}; {description['weights']:,} weights",
        "data": str(origin.get("description") or origin.get("data") or "not known"),
        "fitted with": ", ".join(f"{k} {v}" for k, v in description["fitted_with"].items())
        or "not known",
    }
