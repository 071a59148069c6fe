"""Fitting a column to training rows: its kind, its scale, its categories."""

import warnings
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from oddgan.inputs.arrow import is_text
from oddgan.inputs.raw import Rows

from .columns import Boolean, Categorical, Column, Constant, Ignored, Numeric
from .ranks import Rank, Ranks, StandardAndRank
from .values import Values, distinct, is_missing, is_single, numbers, texts

Scaling = Literal["standard", "minmax", "robust", "rank", "standard+rank", "auto", "none"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)

#: Scaling "auto" adds the rank view if the views share less than this part of their variance. In
#: large samples they share .95 for a uniform distribution, all for a normal one, and .82 for an
#: exponential one: a bounded or bell-shaped column keeps one view, a long tail gets the second.
AUTO_SHARED = 0.9

MAX_CATEGORIES = 64
MIN_COUNT, MIN_SHARE = 2, 0.001
_IQR_OF_NORMAL = 1.349  # in standard deviations


def fit_column(
    values: Values, name: str, start: int, scaling: Scaling, rows: Rows = None
) -> Column:
    """Fit one column; its encoded features begin at ``start``."""
    if isinstance(values, pa.ChunkedArray) and is_text(values.type):
        return _fit_text(values, name, start)
    x = numbers(values, name, rows)
    absent = np.isnan(x)
    missing = bool(absent.any())
    present = x[~absent] if missing else x
    if not len(present):
        return Constant(name, start, start + 1, missing=False, value=None)
    stop = start + 1 + missing
    boolean = _is_boolean(values)
    if (present == present[0]).all():
        value = bool(present[0]) if boolean else float(present[0])
        return Constant(name, start, stop, missing, value)
    if boolean:
        return Boolean(name, start, stop, missing, fill=float(present.mean() >= 0.5))
    return _fit_numbers(present, name, start, missing, scaling, is_single(values))


def _fit_numbers(
    present: NDArray[np.float64],
    name: str,
    start: int,
    missing: bool,
    scaling: Scaling,
    single: bool,
) -> Column:
    """Fit a column of numbers that are not all equal."""
    stop = start + 1 + missing
    fill = float(np.median(present))
    if scaling == "rank":
        return Rank(name, start, stop, missing, fill, Ranks.fit(present, single))
    center, scale = _scale(present, scaling)
    if scaling in ("standard+rank", "auto"):
        ranks = Ranks.fit(present, single)
        both = StandardAndRank(name, start, stop + 1, missing, center, scale, fill, ranks)
        if scaling == "standard+rank" or _views_differ(both.views(present, single)):
            return both
    return Numeric(name, start, stop, missing, center, scale, fill, clip=scaling != "none")


def _views_differ(views: NDArray[np.float64]) -> bool:
    """Return whether the rank adds information to the value (see `AUTO_SHARED`).

    The squared correlation of values with normal scores is the statistic of Shapiro and Francia's
    test for normality (1972), here for softly clipped values.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # a value view that is constant
        shared = np.asarray(np.corrcoef(views, rowvar=False))[0, 1] ** 2
    return not shared >= AUTO_SHARED


def _is_boolean(values: Values) -> bool:
    if isinstance(values, pa.ChunkedArray):
        return bool(pa.types.is_boolean(values.type))
    return bool(values.dtype == bool)


def _fit_text(values: pa.ChunkedArray, name: str, start: int) -> Column:
    text = texts(values, name)
    missing = bool(is_missing(text).any())
    categories, counts = distinct(text)
    if not categories:
        return Constant(name, start, start + 1, missing=False, value=None)
    if len(categories) == 1:
        return Constant(name, start, start + 1 + missing, missing, categories[0])
    min_count = max(MIN_COUNT, MIN_SHARE * len(values))
    order = sorted(zip(counts, categories, strict=True), key=lambda pair: (-pair[0], pair[1]))
    frequent = tuple(category for count, category in order[:MAX_CATEGORIES] if count >= min_count)
    if not frequent:
        warnings.warn(
            f"column {name!r} is ignored: none of its {len(categories)} values is frequent enough "
            "to learn from",
            UserWarning,
            stacklevel=2,
        )
        return Ignored(name, start, start, missing=False)
    return Categorical(name, start, start + len(frequent) + 1 + missing, missing, frequent)


def _scale(x: NDArray[np.float64], scaling: Scaling) -> tuple[float, float]:
    """Return the center and scale of numbers that are not all equal."""
    if scaling == "none":
        return 0.0, 1.0
    # In units of the largest magnitude, so that squares neither overflow nor vanish.
    unit = float(np.abs(x).max())
    x = x / unit
    center, scale = float(x.mean()), float(x.std())
    if scaling == "minmax":
        center, scale = float(x.min()), float(np.ptp(x))
    elif scaling == "robust":
        low, middle, high = np.percentile(x, [25, 50, 75])
        center, scale = float(middle), float(high - low) / _IQR_OF_NORMAL or scale
    tiny, huge = np.finfo(np.float64).tiny, np.finfo(np.float64).max
    return center * unit, float(np.clip(scale * unit, tiny, huge))
