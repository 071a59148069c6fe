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
    context : pyarrow.Table, optional
        Their condition, if it is not in `raw`.
    """

    def __init__(
        self, raw: Raw, names: list[str] | None = None, context: pa.Table | None = None
    ) -> None:
        self.raw, self.names, self.context = raw, names, context
        self.kind = "table" if isinstance(raw, pa.Table) else "image"
        self.columns = raw.column_names if isinstance(raw, pa.Table) else None

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        """Return the samples of several requests, all with the same `likeness`."""
        if len(several) == 1:
            return several[0]
        contexts = [one.context for one in several if one.context is not None]
        raw = inputs.concat([one.raw for one in several])
        return cls(raw, context=pa.concat_tables(contexts) if contexts else None)

    @property
    def likeness(self) -> Hashable:
        """What must be equal of samples that are joined: a number stays of the type it came in."""
        of_rows = self.raw.schema.remove_metadata() if isinstance(self.raw, pa.Table) else None
        of_context = None if self.context is None else self.context.schema.remove_metadata()
        return str(of_rows), str(of_context)

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
