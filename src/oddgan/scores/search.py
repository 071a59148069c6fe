"""Latent search: many independent gradient descents at once.

A descent per sample would waste the processor on tiny products. Here all samples of a chunk take
each step together: Adam is elementwise and the sum of the losses is differentiated, so no row
affects another. Matrix products of different sizes round differently, and a long descent amplifies
rounding errors; therefore rows are always padded to a multiple of `Descent.multiple`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam

#: The variables of the search: tensors of shape (m, ...), row by row.
Variables = tuple[Tensor, ...]
#: From the variables of some rows and the row numbers, (m,), to their losses, (m,). The tensor of
#: row numbers is the same object as long as no row leaves.
Objective = Callable[[Variables, Tensor], Tensor]
#: A learning rate, or the rates from certain steps on, for example ((0, 0.01), (200, 0.001)).
Rate = float | Sequence[tuple[int, float]]

_CPU_BUDGET = 64 * 2**20  # larger chunks do not fit in the caches, and are no faster


@dataclass(frozen=True)
class Descent:
    """Settings of the descent of every row, by Adam.

    Attributes
    ----------
    n_steps : int
        Maximum number of steps of a row.
    rates : tuple of Rate
        The learning rate of each variable.
    tolerance : float
        A row stops, and keeps its variables, when its lowest loss decreased by less than this
        share of it in `patience` steps. With 0 no row stops early.
    patience : int
        Steps between two checks for rows that stop.
    memory : int or None
        Bytes that a chunk of rows may take; None is 64 MiB, or on a GPU a quarter of the free
        memory.
    multiple : int
        Rows are padded to a multiple of this number.
    """

    n_steps: int
    rates: tuple[Rate, ...]
    tolerance: float = 0.0
    patience: int = 20
    memory: int | None = None
    multiple: int = 32


@dataclass(frozen=True)
class SearchResult:
    """Result of the search for m rows.

    Attributes
    ----------
    variables : tuple of Tensor of shape (m, ...)
        The variables after the last step, or the tensors that `keep` returned for them.
    loss : Tensor of shape (m,)
        The loss after the last step.
    n_steps : Tensor of shape (m,)
        Number of steps.
    """

    variables: Variables
    loss: Tensor
    n_steps: Tensor


def latent_search(
    objective: Objective,
    start: Variables,
    descent: Descent,
    *,
    keep: Callable[[Variables, Tensor], Variables] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> SearchResult:
    """Minimise the loss of each of m rows independently.

    Parameters
    ----------
    objective : callable
        The loss. Its other inputs should not require gradients, which would be computed too.
    start : tuple of Tensor of shape (m, ...)
        Start of each row; not modified. An expanded tensor takes no memory before its chunk.
    descent : Descent
        Settings of the descent.
    keep : callable or None
        From the final variables of some rows and the row numbers to the tuple of tensors to keep;
        None keeps the variables.
    on_progress : callable or None
        Called with the number of steps, out of m * n_steps, that are done or skipped.

    Returns
    -------
    Found
        The results, in the order of the rows.
    """
    m = len(start[0])
    report = on_progress or (lambda n: None)
    with torch.inference_mode(mode=False), torch.enable_grad():
        size = rows_per_chunk(objective, start, descent)
        results = []
        for first in range(0, m, size):
            chunk = _Chunk(objective, start, range(first, min(first + size, m)), descent)
            chunk.descend(first * descent.n_steps, report)
            results.append(chunk.result(keep))
    variables = zip(*(result.variables for result in results), strict=True)
    return SearchResult(
        tuple(torch.cat(chunks) for chunks in variables),
        torch.cat([result.loss for result in results]),
        torch.cat([result.n_steps for result in results]),
    )


def rows_per_chunk(objective: Objective, start: Variables, descent: Descent) -> int:
    """Return the number of rows that fit in `descent.memory`, a multiple of `descent.multiple`.

    The bytes that two small batches save for their backward pass are measured; from their
    difference follows the memory of a row, without the weights. The variables, their gradient, two
    moments and a copy are added.
    """
    m, multiple = len(start[0]), descent.multiple
    if m <= multiple:
        return multiple
    saved = [_saved_bytes(objective, start, n) for n in (multiple, 2 * multiple)]
    row_size = sum(v[0].numel() * v.element_size() for v in start)
    per_row = (saved[1] - saved[0]) / multiple + 5 * row_size
    n_rows = int(_budget(descent, start[0].device) / per_row)
    return max(multiple, n_rows // multiple * multiple)


def _budget(descent: Descent, device: torch.device) -> int:
    if descent.memory is not None:
        return descent.memory
    return torch.cuda.mem_get_info(device)[0] // 4 if device.type == "cuda" else _CPU_BUDGET


def _saved_bytes(objective: Objective, start: Variables, n: int) -> int:
    """Return the bytes that the loss of `n` rows saves for the backward pass."""
    sizes: dict[int, int] = {}

    def record(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()  # one storage may be saved several times
        return tensor

    index = torch.arange(n, device=start[0].device) % len(start[0])
    with torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
        losses = objective(tuple(v[index].requires_grad_() for v in start), index)
    del losses  # until here the storages exist, and have distinct addresses
    return sum(sizes.values())


class _Chunk:
    """Rows that descend together.

    A row that stops stays in the batch as padding, until so many have stopped that the remaining
    rows fit in a smaller multiple.
    """

    def __init__(
        self, objective: Objective, start: Variables, rows: range, descent: Descent
    ) -> None:
        device = start[0].device
        self.objective, self.descent, self.n = objective, descent, len(rows)
        padded = torch.arange(-(-self.n // descent.multiple) * descent.multiple, device=device)
        self.rows = rows.start + padded.clamp(max=self.n - 1)
        self.final = [v[self.rows] for v in start]
        self.n_steps = torch.zeros_like(self.rows)
        # Of the rows in the batch: their position in the chunk, and whether they are padding.
        self.positions, self.is_padding = padded, padded >= self.n
        self.active = self.rows
        # Without a tolerance no row stops early, and no copy is needed.
        self.variables = [v.clone() if descent.tolerance else v for v in self.final]
        self.moments = [(torch.zeros_like(v), torch.zeros_like(v)) for v in self.final]
        self.lowest = torch.full((len(padded),), torch.inf, device=device)
        self.previous_lowest = self.lowest

    def descend(self, done: int, report: Callable[[int], None]) -> None:
        """Make all steps; `done` is the number of steps of earlier chunks."""
        n_steps, patience = self.descent.n_steps, self.descent.patience
        clocks = [torch.zeros((), device=v.device) for v in self.variables]
        for step in range(n_steps):
            self._step(step, clocks)
            if (step + 1) % patience == 0 and step + 1 < n_steps:
                if self.descent.tolerance:
                    self._stop_rows(step + 1)
                n_active = int((~self.is_padding).sum())
                report(done + (self.n - n_active) * n_steps + n_active * (step + 1))
                if not n_active:
                    return
        self._record(~self.is_padding, n_steps)
        report(done + self.n * n_steps)

    def _step(self, step: int, clocks: list[Tensor]) -> None:
        for v in self.variables:
            v.requires_grad_()
        losses = self.objective(tuple(self.variables), self.active)
        gradients = torch.autograd.grad(losses.sum(), self.variables)
        self.lowest = torch.minimum(self.lowest, losses.detach())
        for i, v in enumerate(self.variables):
            v.requires_grad_(False)
            mean, square = self.moments[i]
            rate = rate_at(self.descent.rates[i], step)
            _adam(v, gradients[i].contiguous(), mean, square, clocks[i], rate)

    def _stop_rows(self, step: int) -> None:
        """Stop the rows that no longer improve."""
        # `previous_lowest` is infinite at first. A row whose loss is not finite stops.
        threshold = self.previous_lowest - self.descent.tolerance * self.previous_lowest.abs()
        first = self.previous_lowest.isinf() & self.lowest.isfinite()
        stopping = ~((self.lowest < threshold) | first | self.is_padding)
        self.previous_lowest = self.lowest
        self._record(stopping, step)
        self.is_padding = self.is_padding | stopping
        n_active, multiple = int((~self.is_padding).sum()), self.descent.multiple
        n_padded = -(-n_active // multiple) * multiple
        if n_padded < len(self.is_padding):
            index = self.is_padding.int().argsort(stable=True)[:n_padded]  # active rows first
            self.positions, self.is_padding = self.positions[index], self.is_padding[index]
            self.active = self.rows[self.positions]
            self.lowest, self.previous_lowest = self.lowest[index], self.previous_lowest[index]
            self.variables = [v[index] for v in self.variables]
            self.moments = [(mean[index], square[index]) for mean, square in self.moments]

    def _record(self, stopping: Tensor, step: int) -> None:
        self.n_steps[self.positions[stopping]] = step
        if self.descent.tolerance:
            for final, v in zip(self.final, self.variables, strict=True):
                final[self.positions[stopping]] = v[stopping]

    @torch.no_grad()
    def result(self, keep: Callable[[Variables, Tensor], Variables] | None) -> SearchResult:
        """Return the results of the rows, without the padding."""
        final = tuple(self.final)
        loss = self.objective(final, self.rows)
        tensors = keep(final, self.rows) if keep else final
        return SearchResult(
            tuple(v[: self.n] for v in tensors), loss[: self.n], self.n_steps[: self.n]
        )


def rate_at(rate: Rate, step: int) -> float:
    """Return the learning rate of step `step`, from 0."""
    if isinstance(rate, float | int):
        return float(rate)
    return next(value for first, value in reversed(rate) if first <= step)


def _adam(
    v: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, clock: Tensor, rate: float
) -> None:
    """Make one step of Adam in place, like :class:`torch.optim.Adam` with its defaults."""
    adam(
        [v],
        [gradient],
        [mean],
        [square],
        [],
        [clock],
        fused=True,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=rate,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )
