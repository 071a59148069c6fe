"""The samples of one request, or of several that are scored together."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa

from oddgan import inputs
from oddgan.inputs import Raw

from . import deadline

#: Maximum samples between two checks of the deadline.
_CHECK_EVERY = {"table": 2048, "image": 32}


class Samples(inputs.Source):
    """Raw samples in memory.

    Parameters
    ----------
    raw : pyarrow.Table or list of ndarray
        Rows, or images that may differ in size.
    names : list of str, optional
        Names of the samples.
    conditions : pyarrow.Table, optional
        Their condition, if it is not in `raw`.
    """

    def __init__(
        self, raw: Raw, names: list[str] | None = None, conditions: pa.Table | None = None
    ) -> None:
        self.raw, self.names, self.conditions = raw, names, conditions
        self.kind = "table" if isinstance(raw, pa.Table) else "image"
        self.columns = raw.column_names if isinstance(raw, pa.Table) else None

    @classmethod
    def joined(cls, batch: Sequence[Self]) -> Self:
        """Return the samples of several requests, all with the same `batch_key`."""
        if len(batch) == 1:
            return batch[0]
        tables = [samples.conditions for samples in batch if samples.conditions is not None]
        raw = inputs.concat([samples.raw for samples in batch])
        return cls(raw, conditions=pa.concat_tables(tables) if tables else None)

    @property
    def batch_key(self) -> Hashable:
        """Equal for samples that can be joined: numbers keep the type in which they arrived."""
        rows_schema = self.raw.schema.remove_metadata() if isinstance(self.raw, pa.Table) else None
        conditions_schema = (
            None if self.conditions is None else self.conditions.schema.remove_metadata()
        )
        return str(rows_schema), str(conditions_schema)

    def count(self) -> int:
        """Return the number of samples."""
        return len(self.raw)

    def chunks(
        self, size: int, order: np.random.Generator | None = None
    ) -> Iterator[tuple[Any, Raw]]:
        """Read the samples once, in chunks (`inputs.Source.chunks`), in order."""
        size = min(size, _CHECK_EVERY[self.kind])
        for start in range(0, self.count(), size):
            deadline.check()
            chunk = self.raw[start : start + size]
            yield np.arange(start, start + len(chunk)), chunk
