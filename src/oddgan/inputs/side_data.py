"""Side data of samples, such as conditions or groups: columns of their table, values, or a file."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from .arrow import is_frame
from .codecs.table import TableCodec
from .raw import Array, Raw, concat
from .sources.open import open_source
from .sources.source import Chunk, Source, Subset

_FILES = (".csv", ".csv.gz", ".parquet")
_SAMPLE = "sample"  # the column of a file that names the image of each row


class WithoutColumns(Source):
    """A source without some of its columns, which are not part of the samples.

    Parameters
    ----------
    source : Source
        The samples, with or without these columns.
    columns : sequence of str
        The columns to drop.
    """

    def __init__(self, source: Source, columns: Sequence[str] = ()) -> None:
        self._source = source
        self._columns = list(columns)
        self.kind = source.kind
        self.names = source.names
        self.shuffles = source.shuffles
        self.columns = source.columns and [c for c in source.columns if c not in columns]
        self.has_condition = source.has_condition
        self.condition_columns = source.condition_columns
        self.group_columns = source.group_columns
        self.groups = source.groups

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files skipped so far, with the reason."""
        return self._source.skipped

    def count(self) -> int:
        """Return the number of samples."""
        return self._source.count()

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks (`Source.chunks`)."""
        yield from self._without_columns(self._source.chunks(size, order))

    def chunks_of(
        self, keep: NDArray[np.bool_], size: int, order: np.random.Generator | None = None
    ) -> Iterator[Chunk]:
        """Read the samples where `keep` is true, in chunks (`Source.chunks_of`)."""
        yield from self._without_columns(self._source.chunks_of(keep, size, order))

    def _without_columns(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for rows, raw in chunks:
            if isinstance(raw, pa.Table) and self._columns:
                raw = raw.drop_columns(self._columns)
            yield rows, raw

    def labels(self) -> Array | None:
        """Return the labels (`Source.labels`), or None."""
        return self._source.labels()

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the condition of these samples, or None."""
        return self._source.condition(rows)


def read_side_data(
    parameter: str, source: Source, data: Any, codec: TableCodec | None = None
) -> tuple[pa.Table, list[str]]:
    """Read side data of samples; see `with_condition` for its forms.

    Parameters
    ----------
    parameter : str
        Name of the user's parameter, for messages.
    source : Source
        The samples.
    data : str, list of str, path, frame or array
        Columns of the samples, a file, or values.
    codec : TableCodec, optional
        The codec that was fitted to the side data of the training samples.

    Returns
    -------
    values : pyarrow.Table
        One row for each sample of the source; for a `Subset`, each sample of its source.
    columns : list of str
        The columns of the samples that hold it; empty if it came from elsewhere.
    """
    if isinstance(data, list | tuple) and not data:
        raise ValueError(f"{parameter} is empty: name a column, or leave it out")
    if names := _column_names(parameter, source, data, codec):
        if len(names) == len(source.columns or ()):
            raise ValueError(f"{parameter}={data!r} leaves no column to judge")
        whole = source.source if isinstance(source, Subset) else source
        chunks = [raw.select(names) for _, raw in whole.chunks(65536)]  # type: ignore[union-attr]
        return concat(chunks), names
    if isinstance(data, str | PathLike):
        return _read_file(parameter, source, data, codec), []
    values = _match_names(parameter, _as_table(parameter, data), codec)
    return _align_rows(parameter, source, values), []


def _column_names(parameter: str, source: Source, data: Any, codec: TableCodec | None) -> list[str]:
    """Return the columns that `data` names; none if it is values or a file."""
    columns = source.columns or []
    if isinstance(data, str):
        return [data] if data in columns else []
    if not isinstance(data, list | tuple | pd.Index) or not all(map(_may_be_name, data)):
        return []
    names = [str(name) for name in data]
    unknown = [name for name in names if name not in columns]
    same_as_fitted = codec is not None and {*names} == {column.name for column in codec.columns}
    if not (same_as_fitted and not unknown) and len(names) == source.count():
        return []  # one value for each sample
    if files := [name for name in unknown if name.lower().endswith(_FILES)]:
        raise ValueError(
            f"{parameter}: the file {files[0]!r} cannot be mixed with columns or other files"
        )
    if len(names) > len(columns):
        return []  # too few or too many values
    if unknown:
        raise ValueError(
            f"{parameter}: {unknown[0]!r} is not a column of {', '.join(columns)} (and "
            f"{len(names)} values are not one for each of {source.count()} samples)"
        )
    if duplicates := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{parameter} names the column {duplicates[0]!r} twice")
    return names


def _may_be_name(entry: Any) -> bool:
    return isinstance(entry, str | Integral) and not isinstance(entry, bool)


def _as_table(parameter: str, data: Any) -> pa.Table:
    """Return values in any form as a table; columns without names are called c0, c1 ..."""
    if not is_frame(data):
        frame = pd.DataFrame(_as_columns(parameter, data))
        data = frame.set_axis(_default_names(frame.shape[1]), axis=1)
    elif isinstance(data, pa.ChunkedArray) or len(getattr(data, "shape", ())) == 1:
        data = pa.table([pa.chunked_array(data)], _default_names(1))  # a Polars series too
    return concat([raw for _, raw in open_source(data).chunks(65536)])


def _as_columns(parameter: str, data: Any) -> Any:
    """Return values in a form that pandas turns into columns without changing their types."""
    if isinstance(data, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(data)
    if isinstance(data, list | tuple):
        shapes = {np.shape(row) for row in data}
        if len(shapes) > 1:
            raise ValueError(f"{parameter} has rows of different lengths")
        shape = (len(data), *(shapes.pop() if shapes else ()))
        data = list(data)  # not an array, which would turn numbers beside text into text
    else:
        data = np.asarray(data)
        shape = data.shape
        if data.dtype.kind == "U":
            data = data.astype(object)
    if len(shape) not in (1, 2):
        raise ValueError(f"{parameter} has shape {shape}; expected (n,) or (n, k)")
    return data


def _default_names(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


def _match_names(parameter: str, values: pa.Table, codec: TableCodec | None) -> pa.Table:
    """Rename columns to those of training if either came without names."""
    if codec is None:
        return values
    names, n = [column.name for column in codec.columns], values.num_columns
    if {*names} == {*values.column_names}:
        return values
    if values.column_names != _default_names(n) and names != _default_names(len(names)):
        return values  # the codec matches its columns by name
    if len(names) != n:
        raise ValueError(f"{parameter} has {n} columns, but the model was fitted with {len(names)}")
    return values.rename_columns(names)


def _align_rows(origin: object, source: Source, values: pa.Table) -> pa.Table:
    """Return values as rows that are numbered like the chunks of a source.

    `origin` is the parameter or the file that they come from.
    """
    if isinstance(source, Subset):
        if len(values) == source.count():  # samples outside the subset need no values
            return values.take(pa.array(np.cumsum(source.keep) - 1, mask=~source.keep))
        if len(values) == len(source.keep):
            return values
    elif len(values) == source.count():
        return values
    raise ValueError(f"{origin} has {len(values)} rows, but there are {source.count()} samples")


def _read_file(
    parameter: str, source: Source, data: str | PathLike[str], codec: TableCodec | None
) -> pa.Table:
    path = Path(data)
    if not path.name.lower().endswith(_FILES) or not path.exists():
        columns = f" of {', '.join(source.columns)}" if source.columns else ""
        raise ValueError(
            f"{parameter}={str(data)!r} is neither a column{columns} nor a file "
            f"({', '.join(_FILES)})"
        )
    opened = open_source(path, text_columns=[_SAMPLE, *_text_columns(path, codec)])
    values = concat([raw for _, raw in opened.chunks(65536)])
    if _SAMPLE not in (opened.columns or ()):
        return _align_rows(path, source, _match_names(parameter, values, codec))
    if opened.columns == [_SAMPLE]:
        raise ValueError(f"{path}: there is nothing beside the column {_SAMPLE!r}")
    if source.names is None:
        raise ValueError(
            f"{path}: the column {_SAMPLE!r} names images, but these samples have no names: drop "
            "it, and give one row for each sample, in their order"
        )
    names = values[_SAMPLE].to_pylist()  # type: ignore[call-overload,union-attr]
    rows = _rows_by_name(source, names, path)
    values = values.drop_columns([_SAMPLE]).take(rows)  # type: ignore[union-attr]
    return _match_names(parameter, values, codec)


def _text_columns(path: Path, codec: TableCodec | None) -> list[str]:
    """Return the columns of a file that held text in training."""
    texts = codec.text_columns if codec else []
    names = [column.name for column in codec.columns] if codec else []
    if not texts or names != _default_names(len(names)):
        return texts
    header = [name for name in open_source(path).columns or () if name != _SAMPLE]
    return [name for name, default in zip(header, names, strict=False) if default in texts]


def _rows_by_name(source: Source, row_names: list[str], path: Path) -> pa.Array:
    """Return the row of each sample, found by its name; null for samples outside a subset."""
    row_of = {name: i for i, name in enumerate(row_names)}
    if len(row_of) < len(row_names):
        duplicate = next(name for i, name in enumerate(row_names) if row_of[name] != i)
        raise ValueError(f"{path}: there are two rows for the sample {duplicate}")
    names = source.names or []
    keep = source.keep if isinstance(source, Subset) else np.ones(len(names), dtype=bool)
    required = [name for name, needs_row in zip(names, keep, strict=True) if needs_row]
    if missing := [name for name in required if name not in row_of]:
        raise ValueError(f"{path}: there is no row for the sample {missing[0]}")
    return pa.array([row_of.get(name) for name in names], pa.int64())
