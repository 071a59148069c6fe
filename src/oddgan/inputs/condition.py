"""Known context of samples, which decides what is normal for them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .codecs.table import TableCodec
from .raw import Raw, select
from .side_data import WithoutColumns, read_side_data
from .sources.source import Source
from .sources.subset import Subset


class Conditioned(WithoutColumns):
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

    def __init__(self, source: Source, values: pa.Table, columns: Sequence[str] = ()) -> None:
        super().__init__(source, columns)
        self._values = values
        self.has_condition = True
        self.condition_columns = list(columns)

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
    values, columns = read_side_data("condition", source, condition, like)
    if isinstance(source, Subset):
        return Subset(Conditioned(source.source, values, columns), source.keep)
    return Conditioned(source, values, columns)
