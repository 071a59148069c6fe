"""What every source offers, and the source that lives in memory."""

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
        What a sample is.
    names : list of str or None
        The name of each sample: for image files their path below the folder.
    columns : list of str or None
        Column names of a table; None for bare arrays and images.
    shuffles : bool
        Whether `chunks` can follow a random order (a CSV file can only be read front to back).
    has_condition : bool
        Whether the samples have a known context (see `with_condition`).
    condition_columns : sequence of str
        Columns of the table that are this context, and no part of the samples.
    groups : ndarray of int64 or None
        Which samples belong together (see `with_groups`): the group of each, in order.
    group_columns : sequence of str
        Columns of the table that say so, and are no part of the samples.
    skipped : list of (str, str)
        Files left out by ``skip_bad`` so far, with the reason. It grows while chunks are read.
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
        """Files left out so far, with the reason."""
        return []

    @abstractmethod
    def count(self) -> int:
        """Return the number of samples; of a folder the number of files, bad ones included."""

    @abstractmethod
    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks.

        Parameters
        ----------
        size : int
            The most samples in one chunk. Chunks may be smaller, never empty.
        order : numpy.random.Generator, optional
            Yields the chunks in random order where the source allows it (`shuffles`); inside a
            chunk the order stays. None: the order of the source.

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
        """Read the samples where `keep` is true, in chunks, as `chunks` does."""
        for rows, raw in self.chunks(size, order):
            kept = keep[rows]
            if kept.any():
                yield rows[kept], raw if kept.all() else select(raw, kept)

    def called(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | list[str]:
        """Return what messages call these samples: their names, else their indices."""
        return rows if self.names is None else [self.names[row] for row in rows]

    def labels(self) -> Array | None:
        """Return the column set aside by ``label=`` in the order of the source, or None."""
        return None

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the known context of these samples (see `with_condition`), or None."""
        return None


def spans(n: int, size: int, order: np.random.Generator | None) -> Iterator[tuple[int, int]]:
    """Yield the bounds of consecutive chunks of ``n`` samples, in order or in random order."""
    if size < 1:
        raise ValueError(f"a chunk must have at least one sample, not {size}")
    starts = np.arange(0, n, size)
    if order is not None:
        order.shuffle(starts)
    for start in starts.tolist():
        yield start, min(start + size, n)


class MemorySource(Source):
    """An array (a memory-mapped file too), an Arrow table, or a list of images.

    Parameters
    ----------
    data : ndarray, pyarrow.Table or list of ndarray
        2-D array or table, 3-D or 4-D array of images, or images of varying size.
    labels : ndarray, optional
        The values set aside for evaluation.
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
            part = self._data[start:stop]
            yield np.arange(start, stop, dtype=np.int64), part

    def labels(self) -> Array | None:
        """Return the values set aside by ``label=``, or None."""
        return self._labels
