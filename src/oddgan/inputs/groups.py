"""Which samples belong together, as several images of one part do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .side_data import WithoutColumns, read_side_data
from .sources.source import Source
from .sources.subset import Subset


class Grouped(WithoutColumns):
    """A source whose samples are of groups.

    Parameters
    ----------
    source : Source
        The samples.
    groups : ndarray of int64, shape (source.count(),)
        The group of each, numbered from 0.
    columns : sequence of str
        Columns of the source that say so, and so no part of the samples.
    """

    def __init__(
        self, source: Source, groups: NDArray[np.int64], columns: Sequence[str] = ()
    ) -> None:
        super().__init__(source, columns)
        self.groups = groups
        self.group_columns = list(columns)


def with_groups(source: Source, groups: Any) -> Source:
    """Say which samples belong together.

    Parameters
    ----------
    source : Source
        The samples.
    groups : str, list of str, path, frame or array
        In the forms of `with_condition`. Samples with equal values are of one group; of several
        columns, with equal values in all of them. A missing value is a value like others.

    Returns
    -------
    Source
        The same samples; rows are numbered as in `source`.

    Raises
    ------
    ValueError
        There is no such column or file, or there are more or fewer values than samples.
    """
    values, columns = read_side_data("groups", source, groups)
    number = values.to_pandas().groupby(values.column_names, dropna=False, sort=False).ngroup()
    numbers = number.to_numpy(dtype=np.int64)
    if isinstance(source, Subset):
        return Subset(Grouped(source.source, numbers, columns), source.keep)
    return Grouped(source, numbers, columns)


def one_of_each_group(source: Source) -> Source:
    """Return one sample of each group, drawn at random; all of them where there are no groups.

    A sample of a new group is exchangeable with these. With all samples of the held-out groups it
    is not: those of one group are odd, or normal, together.
    """
    if source.groups is None:
        return source
    order = np.random.default_rng(0).permutation(len(source.groups))
    _, first = np.unique(source.groups[order], return_index=True)
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[first]] = True
    return Subset(source, chosen)


@dataclass(frozen=True)
class Units:
    """What is drawn of a source: its groups, or its samples where it has none.

    Attributes
    ----------
    source : Source
        The samples.
    of_row : ndarray of int64, shape (source.count(),)
        The unit of each sample, numbered from 0.
    """

    source: Source
    of_row: NDArray[np.int64]

    @classmethod
    def of(cls, source: Source) -> Self:
        """Return the units of a source."""
        if source.groups is None:
            return cls(source, np.arange(source.count()))
        return cls(source, np.unique(source.groups, return_inverse=True)[1])

    def check(self, least: int) -> int:
        """Return how many there are; too few groups are refused."""
        n = int(self.of_row.max()) + 1
        if n < least:
            raise ValueError(
                f"groups: there are samples of {n} group(s), and at least {least} are needed"
            )
        return n

    def rows(self, units: NDArray[np.int64]) -> Source:
        """Return the samples of these units."""
        chosen = np.zeros(int(self.of_row.max()) + 1, dtype=bool)
        chosen[units] = True
        return Subset(self.source, chosen[self.of_row])
