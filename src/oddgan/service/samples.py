"""The samples of one request, or of several that are scored together."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pyarrow as pa

from oddgan import inputs
from oddgan.inputs import Raw

from . import deadline

#: Samples between two looks at the clock.
_LOOK = {"table": 2048, "image": 32}


class Samples(inputs.Source):
    """Raw samples in memory.

    Parameters
    ----------
    raw : pyarrow.Table or list of ndarray
        Rows, or images that may differ in size.
    names : list of str, optional
        What the samples are called.
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
    def joined(cls, several: Sequence[Self]) -> Self:
        """Return the samples of several requests, all with the same `likeness`."""
        if len(several) == 1:
            return several[0]
        tables = [one.conditions for one in several if one.conditions is not None]
        raw = inputs.concat([one.raw for one in several])
        return cls(raw, conditions=pa.concat_tables(tables) if tables else None)

    @property
    def likeness(self) -> Hashable:
        """What must be equal of samples that are joined: a number stays of the type it came in."""
        of_rows = self.raw.schema.remove_metadata() if isinstance(self.raw, pa.Table) else None
        of_conditions = (
            None if self.conditions is None else self.conditions.schema.remove_metadata()
        )
        return str(of_rows), str(of_conditions)

    def count(self) -> int:
        """Return the number of samples."""
        return len(self.raw)

    def chunks(
        self, size: int, order: np.random.Generator | None = None
    ) -> Iterator[tuple[Any, Raw]]:
        """Read the samples once, in chunks (`inputs.Source.chunks`); the order stays."""
        size = min(size, _LOOK[self.kind])
        for start in range(0, self.count(), size):
            deadline.check()
            part = self.raw[start : start + size]
            yield np.arange(start, start + len(part)), part
