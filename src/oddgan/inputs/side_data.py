"""What is given beside samples: columns of their own table, or values, or a file of them."""

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
from .sources.source import Chunk, Source
from .sources.subset import Subset

_FILES = (".csv", ".csv.gz", ".parquet")
_SAMPLE = "sample"  # the column of a file that says which image a row is of


class WithoutColumns(Source):
    """A source without those of its columns that are no part of the samples.

    Parameters
    ----------
    source : Source
        The samples, perhaps with these columns.
    columns : sequence of str
        The columns to leave out.
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
        """Files left out so far, with the reason."""
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
        """Return the values set aside by ``label=``, or None."""
        return self._source.labels()

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the context of these samples, or None."""
        return self._source.condition(rows)


def read_side_data(
    what: str, source: Source, given: Any, like: TableCodec | None = None
) -> tuple[pa.Table, list[str]]:
    """Read what a user gives beside samples; see `with_condition` for the forms it may have.

    Parameters
    ----------
    what : str
        What messages call it: the name of the parameter.
    source : Source
        The samples.
    given : str, list of str, path, frame or array
        Columns of the samples, a file, or values.
    like : TableCodec, optional
        The codec that was learnt on what stood beside training samples.

    Returns
    -------
    values : pyarrow.Table
        One row for each sample of the source; of a `Subset`, for each sample of its source.
    columns : list of str
        The columns of the samples that it is; none if it came from elsewhere.
    """
    if isinstance(given, list | tuple) and not given:
        raise ValueError(f"{what} is empty: name a column, or leave it out")
    if names := _column_names(what, source, given, like):
        if len(names) == len(source.columns or ()):
            raise ValueError(f"{what}={given!r} leaves no column to judge")
        whole = source.source if isinstance(source, Subset) else source
        chunks = [raw.select(names) for _, raw in whole.chunks(65536)]  # type: ignore[union-attr]
        return concat(chunks), names
    if isinstance(given, str | PathLike):
        return _from_file(what, source, given, like), []
    return _one_for_each(source, _matched(what, _table(what, given), like), f"{what} has"), []


def _column_names(what: str, source: Source, given: Any, like: TableCodec | None) -> list[str]:
    """Return the columns that `given` names; none if it is values or a file."""
    columns = source.columns or []
    if isinstance(given, str):
        return [given] if given in columns else []
    if not isinstance(given, list | tuple | pd.Index) or not all(map(_may_name, given)):
        return []
    names = [str(name) for name in given]
    unknown = [name for name in names if name not in columns]
    of_the_fit = like is not None and {*names} == {column.name for column in like.columns}
    if not (of_the_fit and not unknown) and len(names) == source.count():
        return []  # one value for each sample
    if files := [name for name in unknown if name.lower().endswith(_FILES)]:
        raise ValueError(
            f"{what}: the file {files[0]!r} cannot be mixed with columns or other files"
        )
    if len(names) > len(columns):
        return []  # values, though too few or too many
    if unknown:
        raise ValueError(
            f"{what}: {unknown[0]!r} is no column of {', '.join(columns)} (nor are "
            f"{len(names)} values one for each of {source.count()} samples)"
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{what} names the column {twice[0]!r} twice")
    return names


def _may_name(entry: Any) -> bool:
    return isinstance(entry, str | Integral) and not isinstance(entry, bool)


def _table(what: str, given: Any) -> pa.Table:
    """Return values in any form as a table; where they have no names its columns are c0, c1 ..."""
    if not is_frame(given):
        frame = pd.DataFrame(_in_columns(what, given))
        given = frame.set_axis(_made_up(frame.shape[1]), axis=1)
    elif isinstance(given, pa.ChunkedArray) or len(getattr(given, "shape", ())) == 1:
        given = pa.table([pa.chunked_array(given)], _made_up(1))  # Polars' series too
    return concat([raw for _, raw in open_source(given).chunks(65536)])


def _in_columns(what: str, given: Any) -> Any:
    """Return values in a form of which pandas makes columns that keep their types."""
    if isinstance(given, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(given)
    if isinstance(given, list | tuple):
        shapes = {np.shape(row) for row in given}
        if len(shapes) > 1:
            raise ValueError(f"{what} has rows of different lengths")
        shape = (len(given), *(shapes.pop() if shapes else ()))
        given = list(given)  # not an array, which would turn numbers beside text into text
    else:
        given = np.asarray(given)
        shape = given.shape
        if given.dtype.kind == "U":
            given = given.astype(object)
    if len(shape) not in (1, 2):
        raise ValueError(f"{what} has shape {shape}; expected (n,) or (n, k)")
    return given


def _made_up(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


def _matched(what: str, values: pa.Table, like: TableCodec | None) -> pa.Table:
    """Name columns as in training where they, or those of training, came without names."""
    if like is None:
        return values
    names, n = [column.name for column in like.columns], values.num_columns
    if {*names} == {*values.column_names}:
        return values
    if values.column_names != _made_up(n) and names != _made_up(len(names)):
        return values  # the codec finds its columns by name
    if len(names) != n:
        raise ValueError(f"{what} has {n} columns, but the model was fitted with {len(names)}")
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


def _from_file(
    what: str, source: Source, given: str | PathLike[str], like: TableCodec | None
) -> pa.Table:
    path = Path(given)
    if not path.name.lower().endswith(_FILES) or not path.exists():
        known = f" of {', '.join(source.columns)}" if source.columns else ""
        raise ValueError(
            f"{what}={str(given)!r} is neither a column{known} nor a file ({', '.join(_FILES)})"
        )
    texts = [_SAMPLE, *_text_columns(path, like)]
    opened = open_source(path, text_columns=texts)
    values = concat([raw for _, raw in opened.chunks(65536)])
    if _SAMPLE not in (opened.columns or ()):
        return _one_for_each(source, _matched(what, values, like), f"{path} has")
    called = values[_SAMPLE].to_pylist()  # type: ignore[call-overload,union-attr]
    if opened.columns == [_SAMPLE]:
        raise ValueError(f"{path}: there is nothing beside the column {_SAMPLE!r}")
    if source.names is None:
        raise ValueError(
            f"{path}: the column {_SAMPLE!r} names images, but these samples have no names: give "
            "a row for each in their order, and no such column"
        )
    rows = _rows_of(source, called, path)
    return _matched(what, values.drop_columns([_SAMPLE]).take(rows), like)  # type: ignore[union-attr]


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
