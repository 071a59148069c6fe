"""Checks of the data that figures draw."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def finite(values: ArrayLike, name: str, n: int | None = None) -> Floats:
    """Return one number for each sample.

    Raises
    ------
    ValueError
        There are no values, their number is not `n`, or some are NaN or infinite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, one for each sample") from error
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be one number for each sample, not of shape {array.shape}")
    if n is not None and len(array) != n:
        raise ValueError(f"{name}: {len(array)} values for {n} samples")
    if n_invalid := int(np.sum(~np.isfinite(array))):
        raise ValueError(f"{name}: {n_invalid} of {len(array)} values are NaN or infinite")
    return array


def threshold_of(value: float | None) -> float | None:
    """Check a threshold that may be missing.

    Raises
    ------
    ValueError
        The threshold is NaN.
    """
    if value is not None and np.isnan(value):
        raise ValueError("threshold is NaN")
    return value


def labelled(
    labels: ArrayLike, scores_by_name: Mapping[str, ArrayLike] | ArrayLike
) -> tuple[Flags, dict[str, Floats]]:
    """Return which samples are anomalous, and the scores of each detector.

    Raises
    ------
    ValueError
        The labels are not 0 and 1 or have only one class, there are no scores, or the scores are
        not one finite number for each label.
    """
    label_values: Any = np.asarray(labels)
    if label_values.ndim != 1 or not np.isin(label_values, (0, 1)).all():
        raise ValueError("labels must be 0 (normal) or 1 (anomalous), one for each sample")
    flags = label_values.astype(bool)
    n_anomalous = int(flags.sum())
    if n_anomalous in (0, len(flags)):
        raise ValueError(
            f"labels have {n_anomalous} anomalous and {len(flags) - n_anomalous} normal samples: "
            "the curves need both"
        )
    by_name = scores_by_name if isinstance(scores_by_name, Mapping) else {"": scores_by_name}
    if not by_name:
        raise ValueError("scores_by_name is empty: give the scores of at least one detector")
    return flags, {
        str(name): finite(values, f"scores of {name}" if name else "scores", len(flags))
        for name, values in by_name.items()
    }


def evenly_spaced(n: int, limit: int) -> NDArray[np.int64]:
    """Return at most `limit` of n indices, evenly spaced, including the first and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).round().astype(np.int64))
