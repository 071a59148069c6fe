"""One column of a raw chunk as numbers or text, with messages that name column, row and value."""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from oddgan.inputs.arrow import TEXT, is_text
from oddgan.inputs.raw import Array, Rows, place

Values: TypeAlias = Array | pa.ChunkedArray


def numbers(values: Values, name: str, rows: Rows) -> NDArray[np.float64]:
    """Read a column as float64, missing values as NaN.

    Raises
    ------
    ValueError
        If there is text or an infinity in it.
    """
    if isinstance(values, pa.ChunkedArray):
        if is_text(values.type) and values.null_count < len(values):
            _refuse_text(values, name, rows)
        values = values.cast(pa.float64(), safe=False).to_numpy()
    found = np.asarray(values, dtype=np.float64)
    infinite = np.isinf(found)
    if infinite.any():
        i = int(infinite.argmax())
        raise ValueError(f"column {name!r}, row {place(rows, i)}: infinity ({found[i]})")
    return found


def texts(values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Read a column as Arrow text, missing values as null.

    Raises
    ------
    ValueError
        If it holds numbers or booleans.
    """
    if is_text(values.type) or values.null_count == len(values):
        return values.cast(TEXT)
    raise ValueError(f"column {name!r} holds text in the training data, but {values.type} here")


def is_missing(values: Values) -> NDArray[np.bool_]:
    """Tell for each row whether its value is missing (null, or NaN in a column of floats)."""
    if isinstance(values, pa.ChunkedArray):
        missing: NDArray[np.bool_] = values.is_null(nan_is_null=True).to_numpy()
        return missing
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)


def refuse_missing(missing: NDArray[np.bool_], name: str, rows: Rows) -> None:
    """Refuse a missing value in a column that had none in training."""
    if missing.any():
        row = place(rows, int(missing.argmax()))
        raise ValueError(
            f"column {name!r}, row {row}: missing value, but the column had none in the rows "
            "that the model learnt its columns from"
        )


def distinct(values: pa.ChunkedArray) -> tuple[list[Any], list[int]]:
    """Return the distinct values of a column that are not missing, and how often each occurs."""
    counts = pc.value_counts(values)
    found, times = counts.field("values"), counts.field("counts")
    keep = pc.invert(pc.is_null(found))
    return found.filter(keep).to_pylist(), times.filter(keep).to_pylist()


def _refuse_text(values: pa.ChunkedArray, name: str, rows: Rows) -> None:
    texts = [(i, text) for i, text in enumerate(values.to_pylist()) if text is not None]
    i, text = next((item for item in texts if not _is_float(item[1])), texts[0])
    raise ValueError(
        f"column {name!r}, row {place(rows, i)}: expected a number, but it holds text: {text!r}"
    )


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
