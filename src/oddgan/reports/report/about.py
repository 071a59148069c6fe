"""The end of a report: data, model, versions and command."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from oddgan import inputs
from oddgan.bench.data import digest
from oddgan.detectors import Detector

from .samples import ScoredSamples
from .words import count

Facts = list[tuple[str, str]]


def data_facts(scored: ScoredSamples, name: str, identity: str, split: str | None) -> Facts:
    """Return facts about the data."""
    source = scored.source
    facts = [("data", name), ("digest", identity), ("samples", count(len(scored.scores)))]
    if split:
        facts.append(("split", split))
    if source.columns:
        facts.append(("columns", count(len(source.columns))))
    if scored.labels is not None:
        facts.append(("labels", f"{count(int(scored.labels.sum()))} anomalous"))
    if skipped := source.skipped:
        names = ", ".join(file_name for file_name, _ in skipped[:20])
        more = f" and {len(skipped) - 20:,} more" if len(skipped) > 20 else ""
        facts.append(("left out", f"{count(len(skipped), 'unreadable file')}: {names}{more}"))
    return facts


def model_facts(detector: Detector, name: str | None) -> Facts:
    """Return facts about the model."""
    defaults, params = type(detector)().get_params(), detector.fitted_params_
    changed = [f"{k}={v!r}" for k, v in sorted(params.items()) if _is_reported(k, v, defaults)]
    origin = detector.provenance_
    facts = [
        ("detector", f"{type(detector).__name__} ({detector.reference})"),
        ("parameters", ", ".join(changed) or "the defaults"),
        ("trained on", count(detector.n_train_, "sample")),
        ("held out", count(len(detector.calibration_scores_), "normal sample")),
        ("threshold", repr(float(detector.threshold_))),
        ("trained on data", str(origin.get("data", "not recorded"))),
    ]
    if origin.get("description"):
        facts.append(("training split", str(origin["description"])))
    return [("model", name), *facts] if name else facts


def _is_reported(name: str, value: Any, defaults: dict[str, Any]) -> bool:
    """Return whether a parameter is not a default and affects the model."""
    return name not in ("verbose", "checkpoint") and value != defaults.get(name)


def version_facts(detector: Detector) -> Facts:
    """Return the versions that fitted the model and that wrote the report."""
    current = {name: importlib.metadata.version(name) for name in ("oddgan", "torch", "matplotlib")}
    current["python"] = platform.python_version()
    return [("fitted with", _joined(detector.versions_)), ("report by", _joined(current))]


def _joined(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def data_name(data: Any) -> str:
    """Return a name for data that has none."""
    if isinstance(data, str | PathLike):
        return Path(data).name
    kind = type(data).__name__
    return f"{kind} of shape {tuple(data.shape)}" if hasattr(data, "shape") else kind


def identity(data: Any, source: inputs.Source) -> str:
    """Return a digest of a file, or of the samples if there is no file."""
    if isinstance(data, str | PathLike):
        return f"sha256:{digest(Path(data), source.names)}"
    hasher = hashlib.sha256()
    for _, raw in source.chunks(65536):
        for array in _arrays(raw):
            hasher.update(f"{array.dtype.str} {array.shape}".encode())
            hasher.update(np.ascontiguousarray(array).data)
    return f"sha256:{hasher.hexdigest()}"


def _arrays(raw: inputs.Raw) -> Iterable[np.ndarray[Any, Any]]:
    if isinstance(raw, pa.Table):
        return [pd.util.hash_pandas_object(raw.to_pandas(), index=False).to_numpy()]
    return raw if isinstance(raw, list) else [raw]
