"""Uploaded tables: rows of JSON, CSV and Parquet, as Arrow tables."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oddgan import inputs

from .errors import RequestError
from .limits import Limits
from .memory import Share

TEXT = pa.large_string()
#: Maximum size of an unpacked Parquet file, as a multiple of the largest body.
_UNPACKED = 8


def check_rows(n: int, limits: Limits) -> None:
    """Refuse a table without rows, or with too many."""
    if n > limits.rows:
        raise RequestError(
            413, f"the table has more than {limits.rows} rows: send fewer rows at a time"
        )
    if n == 0:
        raise RequestError(422, "the table has no rows")


def from_rows(rows: Any, columns: Mapping[str, bool], limits: Limits) -> pa.Table:
    """Return rows of JSON as a table.

    Parameters
    ----------
    rows : list of dict
        A value for each column: a number, a boolean, text, or None where it is missing.
    columns : mapping of str to bool
        The expected columns, and whether each holds text.
    limits : Limits
        Limits on the rows.

    Raises
    ------
    RequestError, ValueError
        The message names the column and the row.
    """
    check_rows(len(rows), limits)
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"row {i} is not an object with a value for each column")
        if row.keys() != columns.keys():
            _refuse_names(row, columns, i)
    arrays = [
        (_texts if text else _numbers)(name, [row[name] for row in rows])
        for name, text in columns.items()
    ]
    return pa.table(arrays, names=list(columns))


def _refuse_names(row: Mapping[str, Any], columns: Mapping[str, bool], i: int) -> None:
    missing = [name for name in columns if name not in row]
    unknown = [name for name in row if name not in columns]
    if missing:
        raise ValueError(
            f"column {missing[0]!r} is missing in row {i} (use null for a missing value)"
        )
    raise ValueError(f"column {unknown[0]!r} of row {i} was not in the training data")


def _texts(name: str, values: list[Any]) -> pa.Array:
    for i, value in enumerate(values):
        if not (value is None or isinstance(value, str)):
            raise ValueError(
                f"column {name!r}, row {i}: expected text, but it holds {_shown(value)}"
            )
    return pa.array(values, TEXT)


def _numbers(name: str, values: list[Any]) -> pa.Array:
    numbers: list[float | None] = []
    for i, value in enumerate(values):
        if not (value is None or isinstance(value, int | float)):
            raise ValueError(
                f"column {name!r}, row {i}: expected a number, but it holds {_shown(value)}"
            )
        try:
            numbers.append(None if value is None else float(value))
        except OverflowError as error:
            raise ValueError(f"column {name!r}, row {i}: the number is too large") from error
    return pa.array(numbers, pa.float64())


def _shown(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", bool: str(value).lower()}
    text = kinds.get(type(value), repr(value))
    return text if len(text) <= 60 else f"{text[:60]} ..."


def from_csv(content: bytes, text_columns: Sequence[str], limits: Limits) -> pa.Table:
    """Return a CSV file as a table, read as `inputs.open_source` reads files.

    Raises
    ------
    RequestError, ValueError
        The file cannot be read, or is too large.
    """
    _check_header(content, limits)
    # The reader takes files, because it reads them several times, in pieces.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        try:
            source = inputs.open_source(path, text_columns=text_columns)
            return inputs.concat(list(_counted(source, limits)))
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), "the CSV table")) from error


def _check_header(content: bytes, limits: Limits) -> None:
    """Refuse a table with so many columns that their names alone fill the memory."""
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", "replace", newline="")
    try:
        header = next(csv.reader(text), [])
    except csv.Error as error:
        raise RequestError(422, f"the CSV table has no header that can be read: {error}") from error
    _check_columns(len(header), limits)


def _check_columns(n: int, limits: Limits) -> None:
    if n > limits.columns:
        raise RequestError(413, f"the table has {n} columns, more than {limits.columns}")


def _counted(source: inputs.Source, limits: Limits) -> Iterator[pa.Table]:
    n = 0
    for _, raw in source.chunks(16384):
        n += len(raw)
        check_rows(n, limits)
        yield raw
    check_rows(n, limits)


def from_parquet(content: bytes, limits: Limits, share: Share) -> pa.Table:
    """Return a Parquet file as a table; its metadata is checked before its data is read.

    Raises
    ------
    RequestError, ValueError
        The file cannot be read, or is too large.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        check_rows(file.metadata.num_rows, limits)
        _check_columns(file.metadata.num_columns, limits)
        groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
        _check_size(sum(group.total_byte_size for group in groups), limits, share)
        # A text that is stored once and repeated in every row stays one text until it is counted.
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
        table = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts).read()
        check_rows(len(table), limits)
        _check_size(_text_bytes(table), limits, share)
    except (pa.ArrowException, OSError) as error:
        raise RequestError(422, "the Parquet file cannot be read") from error
    columns = [name for name in table.column_names if not name.startswith("__index_level_")]
    source = inputs.open_source(table.select(columns))
    return inputs.concat([raw for _, raw in source.chunks(limits.rows)])


def _check_size(n_bytes: int, limits: Limits, share: Share) -> None:
    if n_bytes > _UNPACKED * limits.body:
        raise RequestError(413, f"the Parquet table unpacks to {n_bytes} bytes, which is too large")
    share.add(n_bytes)


def _text_bytes(table: pa.Table) -> int:
    """Return the length of all texts, counting each occurrence of a text that is stored once."""
    n_bytes = 0
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            for chunk in column.chunks:
                lengths = pc.binary_length(chunk.dictionary)
                n_bytes += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    return n_bytes
