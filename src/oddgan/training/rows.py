"""Training rows: where the batches of an epoch come from.

The order of an epoch is drawn from (seed, number of the epoch) alone, so a resumed run finds
its place again without having stored one.
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
    """Rows that fit: one tensor on the device, batched by index.

    Parameters
    ----------
    rows : Tensor of shape (n, ...)
        All training rows, on the device they are trained on.
    batch_size : int
        Rows a batch; with fewer than that in total, all of them. The remainder of an epoch
        is left out, another one each time.
    seed : int
        What the order of every epoch is drawn from.
    kept : Tensor of int, or None
        Which of the rows are trained on; None for all.
    """

    def __init__(
        self, rows: Tensor, batch_size: int, seed: int, kept: Tensor | None = None
    ) -> None:
        self.rows = rows
        self.kept = kept
        self.n = len(rows) if kept is None else len(kept)
        self.batch_size = min(batch_size, self.n)
        self.batches_per_epoch = self.n // self.batch_size
        self.seed = seed

    def epoch(self, number: int, skip: int = 0) -> Iterator[Tensor]:
        """Yield the batches of epoch `number`, without its first `skip`."""
        order = _epoch_rng(self.seed, number).permutation(self.n)
        order = order[: self.batches_per_epoch * self.batch_size]
        batches = torch.from_numpy(order).to(self.rows.device).view(-1, self.batch_size)
        if self.kept is not None:
            batches = self.kept[batches]
        for index in batches[skip:]:
            yield self.rows[index]


class StreamedRows:
    """Rows that do not fit: read again every epoch and shuffled within a buffer.

    Parameters
    ----------
    read : callable
        Given a NumPy generator to draw the order of the chunks from, yields float tensors of
        shape (m, ...), m varying, that together are all rows once.
    n_rows : int
        How many rows `read` yields in total.
    batch_size : int
        Rows a batch.
    seed : int
        What the order of every epoch is drawn from.
    device : torch.device
        Where the batches go.
    buffer_rows : int
        Rows that are held in memory and shuffled together.
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
        left = self.batches_per_epoch
        for block in self._shuffled_blocks(_epoch_rng(self.seed, number)):
            for batch in torch.split(block, self.batch_size)[:left]:
                left -= 1
                if self.batches_per_epoch - left > skip:
                    yield batch.to(self.device)

    def _shuffled_blocks(self, rng: np.random.Generator) -> Iterator[Tensor]:
        """Yield shuffled blocks of whole batches; what is over goes into the next block."""
        held: list[Tensor] = []
        n_held = 0
        for chunk in self.read(rng):
            held.append(chunk)
            n_held += len(chunk)
            if n_held >= self.buffer_rows:
                block, rest = self._whole_batches(torch.cat(held), rng)
                yield block
                held, n_held = [rest], len(rest)
        if n_held >= self.batch_size:
            yield self._whole_batches(torch.cat(held), rng)[0]

    def _whole_batches(self, rows: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        rows = rows[torch.from_numpy(rng.permutation(len(rows)))]
        n = len(rows) - len(rows) % self.batch_size
        return rows[:n], rows[n:]


class EnsembleRows:
    """Rows of several members, side by side: batches of shape (K, batch_size, ...).

    Parameters
    ----------
    members : sequence of Rows
        The rows of each, with batches of the same size.
    """

    def __init__(self, members: Sequence[Rows]) -> None:
        self.members = members
        self.batches_per_epoch = min(rows.batches_per_epoch for rows in members)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Tensor]:
        """Yield the batches of epoch `number`, without its first `skip`."""
        for batches in zip(*(rows.epoch(number, skip) for rows in self.members), strict=False):
            yield torch.stack(batches)
