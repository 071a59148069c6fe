"""Training rows: where the batches of an epoch come from.

The order of an epoch depends on (seed, number of the epoch) alone, so a checkpoint need not store
the position in the data.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Rows(Protocol):
    """Training rows in batches of equal size."""

    batches_per_epoch: int

    def epoch(self, number: int, skip: int = 0) -> Iterator[Tensor]:
        """Yield the batches of epoch `number`, without its first `skip`."""


def _epoch_rng(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])


class DeviceRows:
    """Rows that fit in memory: one tensor on the device, batched by index.

    Parameters
    ----------
    rows : Tensor of shape (n, ...)
        All training rows, on the device they are trained on.
    batch_size : int
        Rows per batch; with fewer rows in total, all of them. The remainder of an epoch is left
        out, a different one each time.
    seed : int
        Seed of the order of every epoch.
    indices : Tensor of int, or None
        Indices of the rows to train on; None for all.
    """

    def __init__(
        self, rows: Tensor, batch_size: int, seed: int, indices: Tensor | None = None
    ) -> None:
        self.rows = rows
        self.indices = indices
        self.n = len(rows) if indices is None else len(indices)
        self.batch_size = min(batch_size, self.n)
        self.batches_per_epoch = self.n // self.batch_size
        self.seed = seed

    def epoch(self, number: int, skip: int = 0) -> Iterator[Tensor]:
        """Yield the batches of epoch `number`, without its first `skip`."""
        order = _epoch_rng(self.seed, number).permutation(self.n)
        order = order[: self.batches_per_epoch * self.batch_size]
        batches = torch.from_numpy(order).to(self.rows.device).view(-1, self.batch_size)
        if self.indices is not None:
            batches = self.indices[batches]
        for index in batches[skip:]:
            yield self.rows[index]


class StreamedRows:
    """Rows that do not fit in memory: read in every epoch and shuffled within a buffer.

    Parameters
    ----------
    read : callable
        Takes a NumPy generator that draws the order of the chunks; yields float tensors of shape
        (m, ...), with varying m, that contain each row once.
    n_rows : int
        Number of rows that `read` yields in total.
    batch_size : int
        Rows per batch.
    seed : int
        Seed of the order of every epoch.
    device : torch.device
        Device of the batches.
    buffer_rows : int
        Rows to hold in memory and shuffle together.
    """

    def __init__(
        self,
        read: Callable[[np.random.Generator], Iterator[Tensor]],
        n_rows: int,
        batch_size: int,
        seed: int,
        device: torch.device,
        buffer_rows: int,
    ) -> None:
        self.read = read
        self.batch_size = min(batch_size, n_rows)
        self.batches_per_epoch = n_rows // self.batch_size
        self.seed = seed
        self.device = device
        self.buffer_rows = max(buffer_rows, self.batch_size)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Tensor]:
        """Yield the batches of epoch `number`, without its first `skip`."""
        remaining = self.batches_per_epoch
        for block in self._shuffled_blocks(_epoch_rng(self.seed, number)):
            for batch in torch.split(block, self.batch_size)[:remaining]:
                remaining -= 1
                if self.batches_per_epoch - remaining > skip:
                    yield batch.to(self.device)

    def _shuffled_blocks(self, rng: np.random.Generator) -> Iterator[Tensor]:
        """Yield shuffled blocks of whole batches; remaining rows go into the next block."""
        buffer: list[Tensor] = []
        n_rows = 0
        for chunk in self.read(rng):
            buffer.append(chunk)
            n_rows += len(chunk)
            if n_rows >= self.buffer_rows:
                block, rest = self._whole_batches(torch.cat(buffer), rng)
                yield block
                buffer, n_rows = [rest], len(rest)
        if n_rows >= self.batch_size:
            yield self._whole_batches(torch.cat(buffer), rng)[0]

    def _whole_batches(self, rows: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows = rows[torch.from_numpy(rng.permutation(len(rows)))]
        n = len(rows) - len(rows) % self.batch_size
        return rows[:n], rows[n:]


class EnsembleRows:
    """Rows of several members: batches of shape (K, batch_size, ...).

    Parameters
    ----------
    members : sequence of Rows
        The rows of each member, with batches of the same size.
    """

    def __init__(self, members: Sequence[Rows]) -> None:
        self.members = members
        self.batches_per_epoch = min(rows.batches_per_epoch for rows in members)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Tensor]:
        """Yield the batches of epoch `number`, without its first `skip`."""
        for batches in zip(*(rows.epoch(number, skip) for rows in self.members), strict=False):
            yield torch.stack(batches)
