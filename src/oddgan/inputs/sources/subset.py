"""Some rows of a source."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from oddgan.inputs.raw import Array, Raw

from .source import Chunk, Source


class Subset(Source):
    """The rows of another source where a mask is true.

    Parameters
    ----------
    source : Source
        The other source.
    keep : ndarray of bool, shape (source.count(),)
        Which of its rows. Chunks go on numbering them as `source` does.
    """

    def __init__(self, source: Source, keep: NDArray[np.bool_]) -> None:
        self.source: Source = source
        self.keep: NDArray[np.bool_] = keep
        if isinstance(source, Subset):  # rows are numbered as in the source of both
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
        """Files left out so far, with the reason."""
        kept = {self.names[i] for i in np.flatnonzero(self.keep)} if self.names else set()
        return [(name, reason) for name, reason in self.source.skipped if name in kept]

    def count(self) -> int:
        """Return the number of samples."""
        return int(self.keep.sum())

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the samples once, in chunks (`Source.chunks`)."""
        yield from self.source.chunks_of(self.keep, size, order)

    def labels(self) -> Array | None:
        """Return the values set aside by ``label=``, or None."""
        labels = self.source.labels()
        return None if labels is None else labels[self.keep]

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the known context of these samples, or None."""
        return self.source.condition(rows)
