"""Known context of samples: columns of their own table, or values beside them."""

from collections.abc import Iterator, Sequence
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
        - Names of columns of the source, which are then no longer a part of the samples.
        - A CSV or Parquet file with one row for each sample, or for image files with a column
          ``sample`` that says which image a row is of.
        - One value for each sample, or one row of values: an array (n,) or (n, k), a list, a
          Series or a frame. Numbers are continuous; text, booleans and pandas' categories are
          categories.
    like : TableCodec, optional
        The codec that was learnt on the context of training samples: what its columns are called,
        where values come without names, and which of them hold text.

    Raises
    ------
    ValueError
        There is no such column or file, or there are more or fewer values than samples.
    """
    if isinstance(source, Subset):
        return Subset(with_condition(source.source, condition, like), source.keep)
    names = [condition] if isinstance(condition, str) else condition
    if source.columns and isinstance(names, list) and set(map(str, names)) <= set(source.columns):
        if len(names) == len(source.columns):
            raise ValueError(f"condition={condition!r} leaves no column to judge")
        chunks = [raw.select(names) for _, raw in source.chunks(65536)]  # type: ignore[union-attr]
        return Conditioned(source, concat(chunks), names)
    if isinstance(condition, str | PathLike):
        return Conditioned(source, _from_file(source, condition, like))
    values = _table(condition, like)
    if len(values) != source.count():
        raise ValueError(
            f"condition has {len(values)} rows, but there are {source.count()} samples"
        )
    return Conditioned(source, values)


def _table(condition: Any, like: TableCodec | None) -> pa.Table:
    if not is_frame(condition):
        if not isinstance(condition, pd.Series):
            condition = np.asarray(condition)
            if condition.dtype.kind == "U":
                condition = condition.astype(object)
        if condition.ndim not in (1, 2):
            raise ValueError(f"condition has shape {condition.shape}; expected (n,) or (n, k)")
        frame = pd.DataFrame(condition)
        names = [column.name for column in like.columns] if like else []
        if len(names) != frame.shape[1]:
            names = [f"c{i}" for i in range(frame.shape[1])]
        condition = frame.set_axis(names, axis=1)
    return concat([raw for _, raw in open_source(condition).chunks(65536)])


def _from_file(source: Source, condition: str | PathLike[str], like: TableCodec | None) -> pa.Table:
    path = Path(condition)
    if not path.name.lower().endswith(_FILES) or not path.exists():
        known = f" of {', '.join(source.columns)}" if source.columns else ""
        raise ValueError(
            f"condition={str(condition)!r} is neither a column{known} nor a file "
            f"({', '.join(_FILES)})"
        )
    opened = open_source(path, text_columns=[*(like.text_columns if like else ()), "sample"])
    values = concat([raw for _, raw in opened.chunks(65536)])
    if source.names and "sample" in values.column_names:  # type: ignore[union-attr]
        place = {name: i for i, name in enumerate(values["sample"].to_pylist())}  # type: ignore[call-overload,union-attr]
        if lacking := [name for name in source.names if name not in place]:
            raise ValueError(f"{path}: there is no row for the sample {lacking[0]}")
        values = values.drop_columns(["sample"])  # type: ignore[union-attr]
        return select(values, np.array([place[name] for name in source.names]))
    if len(values) != source.count():
        raise ValueError(f"{path}: {len(values)} rows, but there are {source.count()} samples")
    return values
