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

from ._options import AsJson, ModelArgument
from .output import print_json

#: Columns that are named; the JSON object has all.
_MOST_COLUMNS = 12


def inspect(model: ModelArgument, as_json: AsJson = False) -> None:
    """Show what a model file holds: what it learned from and how, its threshold and its health.

    The exit code is 0 whatever was found.
    """
    fitted = models.load(model, device="cpu")
    if isinstance(fitted, Combination):
        _inspect_combination(fitted, model, as_json)
        return
    description = described(fitted)
    if as_json:
        checks = [{**asdict(check), "found": not check.passed} for check in fitted.health_checks_]
        print_json({"model": model, **description, "health": checks})
        return
    _print(_in_words(description))
    print(fitted.health_report())


def _print(words: Mapping[str, str]) -> None:
    table = Table.grid("what", "value", padding=(0, 2))
    for what, value in words.items():
        table.add_row(what, Text(value))
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
        "threshold": fitted.threshold_,
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
            **{f"member {name}": what for name, what in description["members"].items()},
            "samples": _samples(description["input"]),
            "rows": f"{fitted.n_train_} trained, {n} were held out beside those for p-values",
            **_decision(description),
            "data": str(origin.get("description") or origin.get("data") or "not known"),
        }
    )


def described(fitted: detectors.Detector) -> dict[str, Any]:
    """Return what there is to know of a fitted detector, by name, as JSON holds it."""
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
        "cross_conformal": fitted.cross_fitted_,
        "target_fpr": params["target_fpr"],
        "threshold": fitted.threshold_,
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
    """Return what probabilities rest on, or None where no labelled samples were given."""
    if not hasattr(fitted, "proba_calibration_"):
        return None
    fields = asdict(fitted.proba_calibration_)
    return {name: fields[name] for name in ("method", "n_normal", "n_anomalous", "prevalence")}


def _history(history: list[dict[str, float]]) -> dict[str, Any]:
    """Return the number of training steps, and each loss at its first and last report."""
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


def _samples(described_input: Mapping[str, Any]) -> str:
    columns = described_input["columns"]
    if not columns:
        return f"{described_input['kind']}s of {' x '.join(map(str, described_input['shape']))}"
    more = ", ..." if len(columns) > _MOST_COLUMNS else ""
    listed = ", ".join(columns[:_MOST_COLUMNS])
    return (
        f"table, columns {listed}{more}: {len(columns)}, encoded as {described_input['shape'][0]}"
    )


def _decision(description: Mapping[str, Any]) -> dict[str, str]:
    threshold, n = f"{description['threshold']:.6g}", description["held_out_rows"]
    return {
        "threshold": f"{threshold}, to flag {description['target_fpr']:.3g} of normal samples",
        "resolution": f"no p-value is below 1/{n + 1} = {1 / (n + 1):.2g}: odder than all held out",
    }


def _in_words(description: dict[str, Any]) -> dict[str, str]:
    samples, condition = _samples(description["input"]), description["input"]["condition"]
    trained = description["training"]
    if condition:
        samples += f"; condition: {', '.join(condition) if condition is not True else 'given'}"
    losses = [
        f"{name} loss {of['first']:.4g}, at last {of['last']:.4g}"
        for name, of in trained.get("losses", {}).items()
    ]
    steps = "; ".join([f"{trained['steps']} steps", *losses]) if trained else "no training steps"
    n = description["held_out_rows"]
    rows = f"{description['training_rows']} trained, {n} were held out"
    if description["cross_conformal"]:
        rows = f"{n}, each held out by some members and trained on by the others"
    origin = description["provenance"]
    labelled = description["probabilities"]
    probabilities = "none: they take labelled samples (oddgan calibrate)"
    if labelled:
        probabilities = (
            f"{labelled['method']}, by {labelled['n_normal']} normal and "
            f"{labelled['n_anomalous']} anomalous samples, for a share of "
            f"{labelled['prevalence']:.3g} anomalies"
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
