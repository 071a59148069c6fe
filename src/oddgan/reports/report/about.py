"""What stands at the end of a report: which data, which model, which versions, which command."""

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

from .gathering import Scored
from .words import count

Facts = list[tuple[str, str]]


def of_data(scored: Scored, name: str, identity: str, split: str | None) -> Facts:
    """Say which data the report is on."""
    source = scored.source
    facts = [("data", name), ("digest", identity), ("samples", count(len(scored.scores)))]
    if split:
        facts.append(("which of them", split))
    if source.columns:
        facts.append(("columns", count(len(source.columns))))
    if scored.labels is not None:
        facts.append(("labels", f"{count(int(scored.labels.sum()))} anomalous"))
    if skipped := source.skipped:
        named = ", ".join(bad for bad, _ in skipped[:20])
        more = f" and {len(skipped) - 20:,} more" if len(skipped) > 20 else ""
        facts.append(("left out", f"{count(len(skipped), 'file')} not readable: {named}{more}"))
    return facts


def of_model(detector: Detector, name: str | None) -> Facts:
    """Say which model made the report."""
    defaults, params = type(detector)().get_params(), detector.fitted_params_
    changed = [f"{k}={v!r}" for k, v in sorted(params.items()) if _says(k, v, defaults)]
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
        facts.append(("split", str(origin["description"])))
    return [("model", name), *facts] if name else facts


def _says(name: str, value: Any, defaults: dict[str, Any]) -> bool:
    """Return whether a parameter is worth naming."""
    return name not in ("verbose", "checkpoint") and value != defaults.get(name)


def of_versions(detector: Detector) -> Facts:
    """Say what the model was fitted with, and what wrote the report."""
    now = {name: importlib.metadata.version(name) for name in ("oddgan", "torch", "matplotlib")}
    now["python"] = platform.python_version()
    return [("fitted with", _named(detector.versions_)), ("report by", _named(now))]


def _named(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def sample_names(data: Any) -> str:
    """Return what data that came without a name is called."""
    if isinstance(data, str | PathLike):
        return Path(data).name
    kind = type(data).__name__
    return f"{kind} of shape {tuple(data.shape)}" if hasattr(data, "shape") else kind


def identity(data: Any, source: inputs.Source) -> str:
    """Return a digest of a file, or of the samples themselves where there is none."""
    if isinstance(data, str | PathLike):
        return f"sha256:{digest(Path(data), source.names)}"
    found = hashlib.sha256()
    for _, raw in source.chunks(65536):
        for part in _parts(raw):
            found.update(f"{part.dtype.str} {part.shape}".encode())
            found.update(np.ascontiguousarray(part).data)
    return f"sha256:{found.hexdigest()}"


def _parts(raw: inputs.Raw) -> Iterable[np.ndarray[Any, Any]]:
    if isinstance(raw, pa.Table):
        return [pd.util.hash_pandas_object(raw.to_pandas(), index=False).to_numpy()]
    return raw if isinstance(raw, list) else [raw]
