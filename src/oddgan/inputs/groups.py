"""Groups of samples that belong together, such as several images of one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .side_data import WithoutColumns, read_side_data
from .sources.source import Source, Subset


class Grouped(WithoutColumns):
    """A source whose samples belong to groups.

    Parameters
    ----------
    source : Source
        The samples.
    groups : ndarray of int64, shape (source.count(),)
        The group of each sample, numbered from 0.
    columns : sequence of str
        Columns of the source that define the groups, and so are not part of the samples.
    """

    def __init__(
        self, source: Source, groups: NDArray[np.int64], columns: Sequence[str] = ()
    ) -> None:
        super().__init__(source, columns)
        self.groups = groups
        self.group_columns = list(columns)


def with_groups(source: Source, groups: Any) -> Source:
    """Assign samples to groups.

    Parameters
    ----------
    source : Source
        The samples.
    groups : str, list of str, path, frame or array
        In the forms of `with_condition`. Samples with equal values, in all columns if there are
        several, form a group. Missing values count as equal.

    Returns
    -------
    Source
        The same samples; rows are numbered as in `source`.

    Raises
    ------
    ValueError
        If there is no such column or file, or the numbers of values and samples differ.
    """
    values, columns = read_side_data("groups", source, groups)
    grouped = values.to_pandas().groupby(values.column_names, dropna=False, sort=False)
    numbers = grouped.ngroup().to_numpy(dtype=np.int64)
    if isinstance(source, Subset):
        return Subset(Grouped(source.source, numbers, columns), source.keep)
    return Grouped(source, numbers, columns)


def one_of_each_group(source: Source) -> Source:
    """Return one random sample of each group; all samples if there are no groups.

    A sample of a new group is exchangeable with these. It is not exchangeable with all samples of
    the held-out groups, since the samples of one group tend to be anomalous, or normal, together.
    """
    if source.groups is None:
        return source
    order = np.random.default_rng(0).permutation(len(source.groups))
    _, first = np.unique(source.groups[order], return_index=True)
    keep = np.zeros(len(order), dtype=bool)
    keep[order[first]] = True
    return Subset(source, keep)


@dataclass(frozen=True)
class Units:
    """The units of a split, which stay on one side: groups, or samples if there are none.

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

    def check(self, minimum: int) -> int:
        """Return the number of units; too few groups are refused."""
        n = int(self.of_row.max()) + 1
        if n < minimum:
            raise ValueError(
                f"groups: there are samples of {n} group(s), but at least {minimum} are needed"
            )
        return n

    def rows(self, units: NDArray[np.int64]) -> Source:
        """Return the samples of these units."""
        keep = np.zeros(int(self.of_row.max()) + 1, dtype=bool)
        keep[units] = True
        return Subset(self.source, keep[self.of_row])
