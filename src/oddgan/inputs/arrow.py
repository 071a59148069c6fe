"""Tables in Arrow: frames, Parquet and CSV files converted to the few types that codecs read.

After `normalise` a column is boolean, numeric, text (``large_string``) or all missing (null).
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from .raw import Array

TEXT = pa.large_string()


def is_number(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is an integer, a float or a decimal."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def is_text(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is text."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def frame_table(frame: Any) -> pa.Table:
    """Turn a pandas, Polars or Arrow table into an Arrow table.

    Raises
    ------
    ValueError
        If a column mixes types, or two columns share a name.
    """
    try:
        if isinstance(frame, pd.DataFrame):
            return pa.Table.from_pandas(frame, preserve_index=False)
        return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        # Arrow puts the column into a second sentence of its error.
        raise ValueError(f"the frame cannot be read: {'. '.join(map(str, error.args))}") from error


def check_columns(schema: pa.Schema) -> None:
    """Refuse a table without columns, or with a column of a type that no codec reads."""
    if not len(schema):
        raise ValueError("the table has no columns")
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if not (is_number(kind) or is_text(kind) or pa.types.is_boolean(kind) or _is_null(kind)):
            raise ValueError(
                f"column {field.name!r} holds {field.type}; convert it to numbers or text, "
                "or drop it"
            )


def normalise(table: pa.Table) -> pa.Table:
    """Decode dictionaries and convert all text to one type, so that chunks of a source agree."""
    columns = [_normalise(table.column(i)) for i in range(table.num_columns)]
    return pa.table(columns, names=table.column_names)


def _normalise(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        # The dictionary is cast before decoding: some value types cannot be decoded (Polars's
        # string views), and a category is always text.
        chunks = [
            pa.DictionaryArray.from_arrays(c.indices, c.dictionary.cast(TEXT)).dictionary_decode()
            for c in column.chunks
        ]
        return pa.chunked_array(chunks, type=TEXT)
    return column.cast(TEXT) if is_text(column.type) else column


def data_columns(names: list[str], label: str | None) -> list[str]:
    """Return the data columns: all except the label.

    Raises
    ------
    ValueError
        If two columns share a name, or the label is not a column.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"the table has two columns named {name!r}")
    if label is not None and label not in names:
        raise ValueError(f"no column {label!r} to use as label; the columns are {_listed(names)}")
    return [name for name in names if name != label]


def label_values(column: pa.ChunkedArray) -> Array:
    """Return a label column as an array of numbers, booleans or strings (object)."""
    values: Array = _normalise(column).to_numpy()
    return values if values.dtype.kind in "biuf" else values.astype(object)


def guess_type(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Convert a column of text to integers, floats or booleans if all its values allow it."""
    for kind in (pa.int64(), pa.float64(), pa.bool_()):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    return column


def _is_null(kind: pa.DataType) -> bool:
    return bool(pa.types.is_null(kind))


def _listed(names: list[str], limit: int = 30) -> str:
    text = ", ".join(repr(name) for name in names[:limit])
    return text if len(names) <= limit else f"{text} and {len(names) - limit} more"


def is_frame(data: Any) -> bool:
    """Return whether an object is a table that Arrow can read (pandas, Polars, Arrow)."""
    return isinstance(data, pd.DataFrame) or (
        hasattr(data, "__arrow_c_stream__") and not isinstance(data, np.ndarray | pd.Series)
    )
