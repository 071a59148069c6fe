"""Results of cells as one tidy table, with one line for each cell and score."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from oddgan.evaluation.maps import PixelMetrics
from oddgan.evaluation.metrics import Metrics
from oddgan.evaluation.promises import Promises

from .spec import row_title

_FIRST = {
    "task": "string",
    "data": "string",
    "protocol": "string",
    "method": "string",
    "kind": "string",
    "name": "string",
    "row": "string",
    "score": "string",
    "seed": "Int64",
    "faults": "string",
    "status": "string",
    "error": "string",
}
_LAST = {
    "n_train": "Int64",
    "n_test": "Int64",
    "params": "string",
    "fit_seconds": "float64",
    "score_seconds": "float64",
    "peak_mib": "float64",
    "threads": "Int64",
    "device": "string",
    "versions": "string",
    "when": "string",
    "told": "string",
}
_COPIED = ["fit_seconds", "score_seconds", "peak_mib", "threads", "device", "when", "told"]
_METRICS = [
    f.name
    for cls in (Metrics, PixelMetrics, Promises)
    for f in fields(cls)
    if f.name != "intervals"
]
# Metrics with intervals: the defaults of `bootstrap_intervals`, and those of `Promises`.
_BOUNDED = [
    *("auroc", "average_precision", "auprc", "f1_at_rate", "f1", "fpr_at_95_tpr"),
    *("fpr_at_1", "fpr_at_5", "fpr_at_10", "fdr_at_10", "recall_at_fdr_10"),
]


def tidy(cells: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Arrange results in one table.

    Parameters
    ----------
    cells : sequence of dict
        Results from `store.read_result`, in any order.

    Returns
    -------
    DataFrame
        One line for each cell and score, ordered by task, method, row, faults and seed. Columns
        and types are always the same, whether cells finished, failed or there are none; values
        that a line does not have are missing. Commas join ``faults`` (an empty text for none);
        ``protocol``, ``params`` and ``versions`` are JSON; ``<metric>_low`` and ``<metric>_high``
        are the bounds of a metric's bootstrap interval; times are in seconds.
    """
    lines = [line for cell in cells for line in _lines(cell)]
    frame = pd.DataFrame(lines)
    types = {**_FIRST, **_metric_types(frame.columns), **_LAST}
    frame = frame.reindex(columns=list(types)).astype(types)
    order = ["task", "method", "row", "faults", "seed", "params"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write the table, replacing `path` atomically."""
    unfinished = path.with_name(path.name + ".part")
    try:
        frame.to_parquet(unfinished, index=False)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _metric_types(columns: Iterable[str]) -> dict[str, str]:
    """Return the types of metric columns; columns that are not in every table come last."""
    bounds = [f"{metric}_{side}" for metric in _BOUNDED for side in ("low", "high")]
    standard = [*_METRICS, *bounds]
    others = sorted(set(columns) - {*_FIRST, *_LAST, *standard})
    integers = {"n", "n_anomalies", "n_regions", "n_held_out"}
    return {name: "Int64" if name in integers else "float64" for name in (*standard, *others)}


def _lines(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    cell = result["cell"]
    task, method = cell["task"], cell["method"]
    statement = result.get("statement", {})
    common = {
        "task": task["title"],
        "data": task["data"],
        "protocol": _text(task["protocol"]),
        "method": method["title"],
        "kind": method["kind"],
        "name": method["name"],
        "seed": cell["seed"],
        "faults": ",".join(cell["faults"]),
        "status": result["status"],
        "error": result.get("error"),
        "n_train": statement.get("n_train"),
        "n_test": statement.get("n_test"),
        "prevalence": statement.get("prevalence"),
        "params": _text(method["params"]),
        "versions": _text(result["versions"]) if "versions" in result else None,
        **{key: result.get(key) for key in _COPIED},
    }
    for row in result.get("rows") or _rows_of_failure(method):
        bounds = {
            f"{metric}_{side}": bound
            for metric, interval in row.get("intervals", {}).items()
            for side, bound in zip(("low", "high"), interval, strict=True)
        }
        metrics = {**row.get("metrics", {}), **bounds}
        yield {**common, "row": row["title"], "score": row["score"], **metrics}


def _rows_of_failure(method: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows, without metrics, that a failed cell would have had."""
    title, scores = method["title"], method["scores"] or [""]
    return [{"title": row_title(title, s, scores), "score": s} for s in scores]


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False)
