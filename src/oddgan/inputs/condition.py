"""Conditions of samples: known values that determine what is normal for a sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .codecs.table import TableCodec
from .raw import Raw, select
from .side_data import WithoutColumns, read_side_data
from .sources.source import Source, Subset


class Conditioned(WithoutColumns):
    """A source whose samples have a condition.

    Parameters
    ----------
    source : Source
        The samples.
    values : pyarrow.Table
        The condition, one row for each sample of the source.
    columns : sequence of str
        Columns of the source that hold the condition, and so are not part of the samples.
    """

    def __init__(self, source: Source, values: pa.Table, columns: Sequence[str] = ()) -> None:
        super().__init__(source, columns)
        self._values = values
        self.has_condition = True
        self.condition_columns = list(columns)

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the condition of these samples."""
        return select(self._values, rows)


def with_condition(source: Source, condition: Any, like: TableCodec | None = None) -> Source:
    """Attach a condition to samples.

    Parameters
    ----------
    source : Source
        The samples.
    condition : str, list of str, path, frame or array
        - Names of columns of the source, which are then no longer part of the samples: one name,
          or a list, tuple or pandas index. A list with one entry for each sample holds values.
        - A CSV or Parquet file with one row for each sample. For image files it may have a column
          ``sample`` that names the image of each row.
        - One value for each sample, or one row of values: an array (n,) or (n, k), a list, a
          Series or a frame. Numbers are continuous; text, booleans and pandas categories are
          categories. For a `Subset`, the values of its samples or of all samples of its source.
    like : TableCodec, optional
        The codec that was fitted to the condition of the training samples. It determines the
        names of the columns and which of them hold text. If either side came without names,
        columns are matched by position.

    Returns
    -------
    Source
        The samples with their condition; rows are numbered as in `source`.

    Raises
    ------
    ValueError
        If there is no such column or file, or the numbers of values and samples differ.
    """
    values, columns = read_side_data("condition", source, condition, like)
    if isinstance(source, Subset):
        return Subset(Conditioned(source.source, values, columns), source.keep)
    return Conditioned(source, values, columns)
