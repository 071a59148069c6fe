"""What figures are given, as arrays that can be drawn."""

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
        There is none, another number than `n`, or one is NaN or infinite.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, one for each sample") from error
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must be one number for each sample, not of shape {array.shape}")
    if n is not None and len(array) != n:
        raise ValueError(f"{name}: {len(array)} values for {n} samples")
    if bad := int(np.sum(~np.isfinite(array))):
        raise ValueError(f"{name}: {bad} of {len(array)} values are NaN or infinite")
    return array


def threshold_of(value: float | None) -> float | None:
    """Return the threshold, if there is one.

    Raises
    ------
    ValueError
        It is NaN.
    """
    if value is not None and np.isnan(value):
        raise ValueError("threshold is NaN")
    return value


def labelled(
    labels: ArrayLike, scores_by_name: Mapping[str, ArrayLike] | ArrayLike
) -> tuple[Flags, dict[str, Floats]]:
    """Return who is anomalous, and the scores of each detector.

    Raises
    ------
    ValueError
        Labels are not 0 and 1 or hold one class only, there are no scores, or they are not one
        finite number for each label.
    """
    known: Any = np.asarray(labels)
    if known.ndim != 1 or not np.isin(known, (0, 1)).all():
        raise ValueError("labels must be 0 (normal) or 1 (anomalous), one for each sample")
    flags = known.astype(bool)
    n_odd = int(flags.sum())
    if n_odd in (0, len(flags)):
        raise ValueError(
            f"labels hold {n_odd} anomalous and {len(flags) - n_odd} normal samples: the curves "
            "need both"
        )
    by_name = scores_by_name if isinstance(scores_by_name, Mapping) else {"": scores_by_name}
    if not by_name:
        raise ValueError("scores_by_name is empty: give the scores of at least one detector")
    return flags, {
        str(name): finite(values, f"scores of {name}" if name else "scores", len(flags))
        for name, values in by_name.items()
    }


def thinned(n: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of n places, evenly spread, with the first and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
