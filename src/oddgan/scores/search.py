"""Latent search: many gradient descents at once, each as if it were alone.

One descent a sample wastes the processor on tiny products. Here all samples of a chunk take each
step together: Adam is elementwise and the sum of the losses is differentiated, so no row feels
another. Matrix products of other sizes round differently, and a long descent blows a last digit up;
so the rows are always filled up to a multiple of `Descent.multiple`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam

#: What is searched, row by row: tensors of shape (m, ...).
Variables = tuple[Tensor, ...]
#: From the variables of some rows, and which rows these are (m,), to their losses (m,). As long as
#: no row leaves it is the same tensor of rows each time.
Objective = Callable[[Variables, Tensor], Tensor]
#: A learning rate, or the rates from given steps on, for example ((0, 0.01), (200, 0.001)).
Rate = float | Sequence[tuple[int, float]]

_CPU_BUDGET = 64 * 2**20  # larger chunks fall out of the caches, and are no faster


@dataclass(frozen=True)
class Descent:
    """How every row descends, by Adam.

    Attributes
    ----------
    n_steps : int
        Steps of a row, at most.
    rates : tuple of Rate
        The learning rate of each variable.
    tolerance : float
        A row leaves when its lowest loss fell by less than this share of it in `patience` steps,
        and keeps what it has reached. 0 makes all steps.
    patience : int
        How many steps these are; rows leave after multiples of it.
    memory : int or None
        Bytes that a chunk of rows may take; None is 64 MiB, on a GPU a quarter of what is free.
    multiple : int
        Rows are filled up to a multiple of this many.
    """

    n_steps: int
    rates: tuple[Rate, ...]
    tolerance: float = 0.0
    patience: int = 20
    memory: int | None = None
    multiple: int = 32


@dataclass(frozen=True)
class Found:
    """What m rows came to.

    Attributes
    ----------
    kept : tuple of Tensor of shape (m, ...)
        The variables after the last step, or what `keep` made of them.
    loss : Tensor of shape (m,)
        The loss there.
    n_steps : Tensor of shape (m,)
        Steps that were made.
    """

    kept: Variables
    loss: Tensor
    n_steps: Tensor


def latent_search(
    objective: Objective,
    start: Variables,
    descent: Descent,
    *,
    keep: Callable[[Variables, Tensor], Variables] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Found:
    """Minimise the loss of each of m rows on its own.

    Parameters
    ----------
    objective : callable
        The loss. What else it depends on should not require gradients: they would be computed.
    start : tuple of Tensor of shape (m, ...)
        Where each row starts; not changed. An expanded tensor takes no memory before its chunk.
    descent : Descent
        How.
    keep : callable or None
        From the found variables of some rows, and which rows these are, to the tuple of tensors
        that is kept of them; None keeps the variables.
    on_progress : callable or None
        Told how many of all m * n_steps steps are made, or need not be.

    Returns
    -------
    Found
        What was found, in the order of the rows.
    """
    m = len(start[0])
    report = on_progress or (lambda n: None)
    with torch.inference_mode(mode=False), torch.enable_grad():
        size = rows_per_chunk(objective, start, descent)
        found = []
        for first in range(0, m, size):
            chunk = _Chunk(objective, start, range(first, min(first + size, m)), descent)
            chunk.descend(first * descent.n_steps, report)
            found.append(chunk.result(keep))
    return Found(
        tuple(torch.cat(parts) for parts in zip(*(part.kept for part in found), strict=True)),
        torch.cat([part.loss for part in found]),
        torch.cat([part.n_steps for part in found]),
    )


def rows_per_chunk(objective: Objective, start: Variables, descent: Descent) -> int:
    """Return how many rows `descent.memory` has room for, a multiple of `descent.multiple`.

    Measured are the bytes that two small batches save for their backward pass: their difference
    is what a row takes, without the weights. To it come the variables, their gradient, two moments
    and a copy.
    """
    m, few = len(start[0]), descent.multiple
    if m <= few:
        return few
    saved = [_saved_bytes(objective, start, n) for n in (few, 2 * few)]
    own = sum(v[0].numel() * v.element_size() for v in start)
    per_row = (saved[1] - saved[0]) / few + 5 * own
    return max(few, int(_budget(descent, start[0].device) / per_row) // few * few)


def _budget(descent: Descent, device: torch.device) -> int:
    if descent.memory is not None:
        return descent.memory
    return torch.cuda.mem_get_info(device)[0] // 4 if device.type == "cuda" else _CPU_BUDGET


def _saved_bytes(objective: Objective, start: Variables, n: int) -> int:
    """Return the bytes that the loss of `n` rows keeps for the backward pass."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()  # one storage may be saved several times
        return tensor

    index = torch.arange(n, device=start[0].device) % len(start[0])
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        losses = objective(tuple(v[index].requires_grad_() for v in start), index)
    del losses  # until here the storages live, and none has the address of another
    return sum(sizes.values())


class _Chunk:
    """Rows that descend together.

    A row that leaves is replaced by none: it goes on as filling, unheeded, until so many have left
    that the others fit a smaller multiple.
    """

    def __init__(
        self, objective: Objective, start: Variables, rows: range, descent: Descent
    ) -> None:
        device = start[0].device
        self.objective, self.descent, self.n = objective, descent, len(rows)
        filled = torch.arange(-(-self.n // descent.multiple) * descent.multiple, device=device)
        self.rows = rows.start + filled.clamp(max=self.n - 1)
        self.final = [v[self.rows] for v in start]
        self.n_steps = torch.zeros_like(self.rows)
        # Of those that still descend: their place in the chunk, and whether they are mere filling.
        self.place, self.left = filled, filled >= self.n
        self.active = self.rows
        # Without a tolerance nobody leaves early, and a copy is not needed.
        self.variables = [v.clone() if descent.tolerance else v for v in self.final]
        self.moments = [(torch.zeros_like(v), torch.zeros_like(v)) for v in self.final]
        self.lowest = torch.full((len(filled),), torch.inf, device=device)
        self.before = self.lowest

    def descend(self, done: int, report: Callable[[int], None]) -> None:
        """Make all steps; `done` are those of earlier chunks."""
        n_steps, patience = self.descent.n_steps, self.descent.patience
        clocks = [torch.zeros((), device=v.device) for v in self.variables]
        for step in range(n_steps):
            self._step(step, clocks)
            if (step + 1) % patience == 0 and step + 1 < n_steps:
                if self.descent.tolerance:
                    self._let_go(step + 1)
                n_active = int((~self.left).sum())
                report(done + (self.n - n_active) * n_steps + n_active * (step + 1))
                if not n_active:
                    return
        self._record(~self.left, n_steps)
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

    def _let_go(self, step: int) -> None:
        """Let the rows leave that improve no more."""
        # At first `before` is infinite; a loss that is not finite improves nothing, and leaves.
        improves = self.lowest < self.before - self.descent.tolerance * self.before.abs()
        first = self.before.isinf() & self.lowest.isfinite()
        leaving = ~(improves | first | self.left)
        self.before = self.lowest
        self._record(leaving, step)
        self.left = self.left | leaving
        n_active, multiple = int((~self.left).sum()), self.descent.multiple
        n_filled = -(-n_active // multiple) * multiple
        if n_filled < len(self.left):
            kept = self.left.int().argsort(stable=True)[:n_filled]  # those that stay come first
            self.place, self.left = self.place[kept], self.left[kept]
            self.active = self.rows[self.place]
            self.lowest, self.before = self.lowest[kept], self.before[kept]
            self.variables = [v[kept] for v in self.variables]
            self.moments = [(mean[kept], square[kept]) for mean, square in self.moments]

    def _record(self, leaving: Tensor, step: int) -> None:
        self.n_steps[self.place[leaving]] = step
        if self.descent.tolerance:
            for final, v in zip(self.final, self.variables, strict=True):
                final[self.place[leaving]] = v[leaving]

    @torch.no_grad()
    def result(self, keep: Callable[[Variables, Tensor], Variables] | None) -> Found:
        """Return what was found of the rows, without the filling."""
        final = tuple(self.final)
        loss = self.objective(final, self.rows)
        kept = keep(final, self.rows) if keep else final
        return Found(tuple(v[: self.n] for v in kept), loss[: self.n], self.n_steps[: self.n])


def rate_at(rate: Rate, step: int) -> float:
    """Return the learning rate of the step after `step` others."""
    if isinstance(rate, float | int):
        return float(rate)
    return next(value for first, value in reversed(rate) if first <= step)


def _adam(
    v: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, clock: Tensor, rate: float
) -> None:
    """Make one step of Adam in place, as :class:`torch.optim.Adam` with its defaults does."""
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
