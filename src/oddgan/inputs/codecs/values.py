"""One column of a raw chunk as numbers or text; messages name the column, the row and the value."""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from oddgan.inputs.arrow import TEXT, is_text
from oddgan.inputs.raw import Array, Rows, sample_name

Values: TypeAlias = Array | pa.ChunkedArray


def numbers(values: Values, name: str, rows: Rows) -> NDArray[np.float64]:
    """Read a column as float64, missing values as NaN.

    Raises
    ------
    ValueError
        If it contains text or infinity.
    """
    if isinstance(values, pa.ChunkedArray):
        if is_text(values.type) and values.null_count < len(values):
            _refuse_text(values, name, rows)
        values = values.cast(pa.float64(), safe=False).to_numpy()
    x = np.asarray(values, dtype=np.float64)
    infinite = np.isinf(x)
    if infinite.any():
        i = int(infinite.argmax())
        raise ValueError(f"column {name!r}, row {sample_name(rows, i)}: infinity ({x[i]})")
    return x


def texts(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Read a column as Arrow text, missing values as null.

    Raises
    ------
    ValueError
        If it contains numbers or booleans.
    """
    if is_text(values.type) or values.null_count == len(values):
        return values.cast(TEXT)
    raise ValueError(f"column {name!r} holds text in the training data, but {values.type} here")


def is_missing(values: Values) -> NDArray[np.bool_]:
    """Return for each row whether its value is missing (null, or NaN in a column of floats)."""
    if isinstance(values, pa.ChunkedArray):
        missing: NDArray[np.bool_] = values.is_null(nan_is_null=True).to_numpy()
        return missing
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def refuse_missing(missing: NDArray[np.bool_], name: str, rows: Rows) -> None:
    """Refuse a missing value in a column that had none in training."""
    if missing.any():
        row = sample_name(rows, int(missing.argmax()))
        raise ValueError(
            f"column {name!r}, row {row}: missing value, but the column had none in the rows "
            "that its encoding was fitted on"
        )


def distinct(values: pa.ChunkedArray) -> tuple[list[Any], list[int]]:
    """Return the distinct values of a column, without missing ones, and how often each occurs."""
    table = pc.value_counts(values)
    categories, counts = table.field("values"), table.field("counts")
    present = pc.invert(pc.is_null(categories))
    return categories.filter(present).to_pylist(), counts.filter(present).to_pylist()


def is_single(values: Values) -> bool:
    """Return whether a column holds floating-point numbers of 32 bits or fewer."""
    if isinstance(values, pa.ChunkedArray):
        return bool(pa.types.is_float32(values.type) or pa.types.is_float16(values.type))
    return bool(values.dtype.kind == "f" and values.dtype.itemsize <= 4)


def _refuse_text(values: pa.ChunkedArray, name: str, rows: Rows) -> None:
    texts = [(i, text) for i, text in enumerate(values.to_pylist()) if text is not None]
    i, text = next((item for item in texts if not _is_float(item[1])), texts[0])
    raise ValueError(
        f"column {name!r}, row {sample_name(rows, i)}: expected a number, found text: {text!r}"
    )


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
