"""The interface of all sources, a source in memory, and a subset of a source."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from oddgan.inputs.raw import Array, Raw, select

Chunk: TypeAlias = tuple[NDArray[np.int64], Raw]


class Source(ABC):
    """Raw samples, not yet encoded: an array, a frame, a file or a folder.

    Attributes
    ----------
    kind : {"table", "image"}
        The kind of the samples.
    names : list of str or None
        The name of each sample: for image files, their path below the folder.
    columns : list of str or None
        Column names of a table; None for plain arrays and images.
    shuffles : bool
        Whether `chunks` can follow a random order (a CSV file can only be read front to back).
    has_condition : bool
        Whether the samples have a condition (see `with_condition`).
    condition_columns : sequence of str
        Columns of the table that hold the condition, and are not part of the samples.
    groups : ndarray of int64 or None
        The group of each sample (see `with_groups`), in order.
    group_columns : sequence of str
        Columns of the table that define the groups, and are not part of the samples.
    skipped : list of (str, str)
        Files skipped so far, with the reason (see ``skip_bad``). It grows while chunks are read.
    """

    kind: Literal["table", "image"]
    names: list[str] | None = None
    columns: list[str] | None = None
    shuffles: bool = True
    has_condition: bool = False
    condition_columns: Sequence[str] = ()
    groups: NDArray[np.int64] | None = None
    group_columns: Sequence[str] = ()

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files skipped so far, with the reason."""
        return []

    @abstractmethod
    def count(self) -> int:
        """Return the number of samples; for a folder the number of files, bad ones included."""

    @abstractmethod
    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks.

        Parameters
        ----------
        size : int
            Maximum number of samples in a chunk. Chunks may be smaller, never empty.
        order : numpy.random.Generator, optional
            Shuffles the chunks if the source allows it (`shuffles`), but not the samples inside a
            chunk. None: the order of the source.

        Yields
        ------
        rows : ndarray of int64, shape (n,)
            Index of each sample in the source.
        raw : Raw
            The samples.
        """

    def chunks_of(
        self, keep: NDArray[np.bool_], size: int, order: np.random.Generator | None = None
    ) -> Iterator[Chunk]:
        """Read the samples where `keep` is true, in chunks, like `chunks`."""
        for rows, raw in self.chunks(size, order):
            mask = keep[rows]
            if mask.any():
                yield rows[mask], raw if mask.all() else select(raw, mask)

    def sample_names(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | list[str]:
        """Return the names of these samples for messages, else their indices."""
        return rows if self.names is None else [self.names[row] for row in rows]

    def labels(self) -> Array | None:
        """Return the column or key named by ``label=``, in the order of the source, or None."""
        return None

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the condition of these samples (see `with_condition`), or None."""
        return None


def spans(n: int, size: int, order: np.random.Generator | None) -> Iterator[tuple[int, int]]:
    """Yield the bounds of chunks of consecutive samples among ``n``, in order or shuffled."""
    if size < 1:
        raise ValueError(f"a chunk must have at least one sample, not {size}")
    starts = np.arange(0, n, size)
    if order is not None:
        order.shuffle(starts)
    for start in starts.tolist():
        yield start, min(start + size, n)


class MemorySource(Source):
    """An array (also a memory-mapped file), an Arrow table, or a list of images.

    Parameters
    ----------
    data : ndarray, pyarrow.Table or list of ndarray
        2-D array or table, 3-D or 4-D array of images, or images of varying size.
    labels : ndarray, optional
        The labels of the samples.
    """

    def __init__(self, data: Raw, labels: Array | None = None) -> None:
        self._data = data
        self._labels = labels
        if isinstance(data, pa.Table):
            self.kind, self.columns = "table", data.column_names
        else:
            self.kind = "table" if not isinstance(data, list) and data.ndim == 2 else "image"

    def count(self) -> int:
        """Return the number of samples."""
        return len(self._data)

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks (`Source.chunks`)."""
        for start, stop in spans(self.count(), size, order):
            yield np.arange(start, stop, dtype=np.int64), self._data[start:stop]

    def labels(self) -> Array | None:
        """Return the labels (`Source.labels`), or None."""
        return self._labels


class Subset(Source):
    """The rows of another source where a mask is true.

    Parameters
    ----------
    source : Source
        The other source.
    keep : ndarray of bool, shape (source.count(),)
        The rows to keep. Chunks number them as `source` does.
    """

    def __init__(self, source: Source, keep: NDArray[np.bool_]) -> None:
        self.source: Source = source
        self.keep: NDArray[np.bool_] = keep
        if isinstance(source, Subset):  # rows are numbered as in the original source
            self.source = source.source
            self.keep = np.zeros_like(source.keep)
            self.keep[source.keep] = keep
        self.kind = source.kind
        self.names = source.names
        self.columns = source.columns
        self.shuffles = source.shuffles
        self.has_condition = source.has_condition
        self.condition_columns = source.condition_columns
        self.group_columns = source.group_columns
        self.groups = None if source.groups is None else source.groups[keep]

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files skipped so far, with the reason."""
        names = {self.names[i] for i in np.flatnonzero(self.keep)} if self.names else set()
        return [(name, reason) for name, reason in self.source.skipped if name in names]

    def count(self) -> int:
        """Return the number of samples."""
        return int(self.keep.sum())

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks (`Source.chunks`)."""
        yield from self.source.chunks_of(self.keep, size, order)

    def labels(self) -> Array | None:
        """Return the labels (`Source.labels`), or None."""
        labels = self.source.labels()
        return None if labels is None else labels[self.keep]

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the condition of these samples, or None."""
        return self.source.condition(rows)
