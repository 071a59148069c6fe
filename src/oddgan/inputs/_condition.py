"""Known context of samples: columns of their own table, or values beside them."""

from collections.abc import Iterator, Sequence
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ._arrow import is_frame
from ._open import open_source
from ._raw import Array, Raw, concat, select
from ._source import Chunk, Source
from ._subset import Subset
from ._table_codec import TableCodec

_FILES = (".csv", ".csv.gz", ".parquet")
_SAMPLE = "sample"  # the column of a file that says which image a row is of


class Conditioned(Source):
    """A source whose samples have a known context.

    Parameters
    ----------
    source : Source
        The samples.
    values : pyarrow.Table
        The context, one row for each sample of the source.
    columns : sequence of str
        Columns of the source that are the context, and so no part of the samples.
    """

    has_condition = True

    def __init__(self, source: Source, values: pa.Table, columns: Sequence[str] = ()) -> None:
        self._source = source
        self._values = values
        self.condition_columns = list(columns)
        self.kind = source.kind
        self.names = source.names
        self.shuffles = source.shuffles
        self.columns = source.columns and [c for c in source.columns if c not in columns]

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files left out so far, with the reason."""
        return self._source.skipped

    def count(self) -> int:
        """Return the number of samples."""
        return self._source.count()

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks (`Source.chunks`)."""
        yield from self._without_context(self._source.chunks(size, order))

    def chunks_of(
        self, keep: NDArray[np.bool_], size: int, order: np.random.Generator | None = None
    ) -> Iterator[Chunk]:
        """Read the samples where `keep` is true, in chunks (`Source.chunks_of`)."""
        yield from self._without_context(self._source.chunks_of(keep, size, order))

    def _without_context(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for rows, raw in chunks:
            if isinstance(raw, pa.Table) and self.condition_columns:
                raw = raw.drop_columns(self.condition_columns)
            yield rows, raw

    def labels(self) -> Array | None:
        """Return the values set aside by ``label=``, or None."""
        return self._source.labels()

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the context of these samples."""
        return select(self._values, rows)


def with_condition(source: Source, condition: Any, like: TableCodec | None = None) -> Source:
    """Give samples the context that is known of them.

    Parameters
    ----------
    source : Source
        The samples.
    condition : str, list of str, path, frame or array
        - Names of columns of the source, which are then no longer a part of the samples: one, or
          a list, tuple or pandas index of them. A list with one entry for each sample is values.
        - A CSV or Parquet file with one row for each sample, or for image files with a column
          ``sample`` that says which image a row is of.
        - One value for each sample, or one row of values: an array (n,) or (n, k), a list, a
          Series or a frame. Numbers are continuous; text, booleans and pandas' categories are
          categories. For a `Subset`, values of its own samples or of all of its source.
    like : TableCodec, optional
        The codec that was learnt on the context of training samples: what its columns are called,
        and which of them hold text. Where either side came without names, columns are matched by
        their position.

    Returns
    -------
    Source
        The samples with their context; rows are numbered as in `source`.

    Raises
    ------
    ValueError
        There is no such column or file, or there are more or fewer values than samples.
    """
    whole = source.source if isinstance(source, Subset) else source
    if names := _column_names(source, condition, like):
        if len(names) == len(source.columns or ()):
            raise ValueError(f"condition={condition!r} leaves no column to judge")
        chunks = [raw.select(names) for _, raw in whole.chunks(65536)]  # type: ignore[union-attr]
        values = concat(chunks)
    elif isinstance(condition, str | PathLike):
        values = _from_file(source, condition, like)
    else:
        values = _one_for_each(source, _matched(_table(condition), like), "condition has")
    conditioned = Conditioned(whole, values, names)
    return Subset(conditioned, source.keep) if isinstance(source, Subset) else conditioned


def _column_names(source: Source, condition: Any, like: TableCodec | None) -> list[str]:
    """Return the columns that `condition` names; none if it is values or a file."""
    columns = source.columns or []
    if isinstance(condition, str):
        return [condition] if condition in columns else []
    if not isinstance(condition, list | tuple | pd.Index) or not all(map(_may_name, condition)):
        return []
    names = [str(name) for name in condition]
    unknown = [name for name in names if name not in columns]
    of_the_fit = like is not None and {*names} == {column.name for column in like.columns}
    if not (of_the_fit and not unknown) and len(names) == source.count():
        return []  # one value for each sample
    if files := [name for name in unknown if name.lower().endswith(_FILES)]:
        raise ValueError(
            f"condition: the file {files[0]!r} cannot be mixed with columns or other files"
        )
    if len(names) > len(columns):
        return []  # values, though too few or too many
    if unknown:
        raise ValueError(
            f"condition: {unknown[0]!r} is no column of {', '.join(columns)} (nor are "
            f"{len(names)} values one for each of {source.count()} samples)"
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"condition names the column {twice[0]!r} twice")
    return names


def _may_name(entry: Any) -> bool:
    return isinstance(entry, str | Integral) and not isinstance(entry, bool)


def _table(condition: Any) -> pa.Table:
    """Return values in any form as a table; where they have no names its columns are c0, c1 ..."""
    if not is_frame(condition):
        frame = pd.DataFrame(_in_columns(condition))
        condition = frame.set_axis(_made_up(frame.shape[1]), axis=1)
    elif isinstance(condition, pa.ChunkedArray) or len(getattr(condition, "shape", ())) == 1:
        condition = pa.table([pa.chunked_array(condition)], _made_up(1))  # Polars' series too
    return concat([raw for _, raw in open_source(condition).chunks(65536)])


def _in_columns(condition: Any) -> Any:
    """Return values in a form of which pandas makes columns that keep their types."""
    if isinstance(condition, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(condition)
    if isinstance(condition, list | tuple):
        shapes = {np.shape(row) for row in condition}
        if len(shapes) > 1:
            raise ValueError("condition has rows of different lengths")
        shape = (len(condition), *(shapes.pop() if shapes else ()))
        condition = list(condition)  # not an array, which would turn numbers beside text into text
    else:
        condition = np.asarray(condition)
        shape = condition.shape
        if condition.dtype.kind == "U":
            condition = condition.astype(object)
    if len(shape) not in (1, 2):
        raise ValueError(f"condition has shape {shape}; expected (n,) or (n, k)")
    return condition


def _made_up(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


def _matched(values: pa.Table, like: TableCodec | None) -> pa.Table:
    """Name columns as in training where they, or those of training, came without names."""
    if like is None:
        return values
    names, n = [column.name for column in like.columns], values.num_columns
    if {*names} == {*values.column_names}:
        return values
    if values.column_names != _made_up(n) and names != _made_up(len(names)):
        return values  # the codec finds its columns by name
    if len(names) != n:
        raise ValueError(f"condition has {n} columns, but the model was fitted with {len(names)}")
    return values.rename_columns(names)


def _one_for_each(source: Source, values: pa.Table, has: str) -> pa.Table:
    """Return values of the samples of a source as rows that are numbered as its chunks are."""
    if isinstance(source, Subset):
        if len(values) == source.count():  # samples left out have no context, and need none
            return values.take(pa.array(np.cumsum(source.keep) - 1, mask=~source.keep))
        if len(values) == len(source.keep):
            return values
    elif len(values) == source.count():
        return values
    raise ValueError(f"{has} {len(values)} rows, but there are {source.count()} samples")


def _from_file(source: Source, condition: str | PathLike[str], like: TableCodec | None) -> pa.Table:
    path = Path(condition)
    if not path.name.lower().endswith(_FILES) or not path.exists():
        known = f" of {', '.join(source.columns)}" if source.columns else ""
        raise ValueError(
            f"condition={str(condition)!r} is neither a column{known} nor a file "
            f"({', '.join(_FILES)})"
        )
    texts = [_SAMPLE, *_text_columns(path, like)]
    opened = open_source(path, text_columns=texts)
    values = concat([raw for _, raw in opened.chunks(65536)])
    if _SAMPLE not in (opened.columns or ()):
        return _one_for_each(source, _matched(values, like), f"{path} has")
    called = values[_SAMPLE].to_pylist()  # type: ignore[call-overload,union-attr]
    if opened.columns == [_SAMPLE]:
        raise ValueError(f"{path}: there is no context beside the column {_SAMPLE!r}")
    if source.names is None:
        raise ValueError(
            f"{path}: the column {_SAMPLE!r} names images, but these samples have no names: give "
            "a row for each in their order, and no such column"
        )
    rows = _rows_of(source, called, path)
    return _matched(values.drop_columns([_SAMPLE]).take(rows), like)  # type: ignore[union-attr]


def _text_columns(path: Path, like: TableCodec | None) -> list[str]:
    """Return the columns of a file that held text in training."""
    texts = like.text_columns if like else []
    names = [column.name for column in like.columns] if like else []
    if not texts or names != _made_up(len(names)):
        return texts
    header = [name for name in open_source(path).columns or () if name != _SAMPLE]
    return [name for name, made_up in zip(header, names, strict=False) if made_up in texts]


def _rows_of(source: Source, called: list[str], path: Path) -> pa.Array:
    """Return for each sample the row of `called` that has its name; none if it is left out."""
    place = {name: i for i, name in enumerate(called)}
    if len(place) < len(called):
        twice = next(name for i, name in enumerate(called) if place[name] != i)
        raise ValueError(f"{path}: there are two rows for the sample {twice}")
    names = source.names or []
    keep = source.keep if isinstance(source, Subset) else np.ones(len(names), dtype=bool)
    if lacking := [name for name, kept in zip(names, keep, strict=True) if kept > (name in place)]:
        raise ValueError(f"{path}: there is no row for the sample {lacking[0]}")
    return pa.array([place.get(name) for name in names], pa.int64())
