"""The members of a population trained in one pass: PyTorch's vmap over their weights.

A round is one call that vmap runs for all members together. Within it every tensor has the shape
that it has for one member, so that losses are written without a thought of populations, and what
mixes the rows of a batch (batch norm, a mean of features) mixes those of one member.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Ensemble:
    """Networks of K members that go through the losses of a round at once.

    Parameters
    ----------
    networks : nn.Module
        Holds the weights of all members, each tensor of shape (K, ...). Its tensors may be written
        to, but not replaced.
    """

    def __init__(self, networks: nn.Module) -> None:
        self._step = _Step(networks)
        self._tensors = {
            **dict(self._step.named_parameters()),
            **dict(self._step.named_buffers()),
        }

    def each(
        self,
        losses: Callable[[Tensor, Tensor], Iterable[Any]],
        x: Tensor,
        z: Tensor,
        update: Callable[[Any, Tensor, Tensor], None],
    ) -> None:
        """Go through the losses of a round.

        Parameters
        ----------
        losses : callable
            From samples and latent draws of one member to the losses of its round, one after the
            other (:class:`.Loss`). What it calls are layers of the networks. It must not branch
            on the value of a tensor, nor ask a tensor for gradients (:func:`torch.func.grad` is
            fine), nor replace a buffer.
        x, z : Tensor of shapes (K, n, ...) and (K, n, latent_dim)
            Samples and latent draws of all.
        update : callable
            ``update(loss, value, judged)``, both tensors of shape (K,), updates the networks of
            this loss before the round goes on.
        """

        def of_member(tensors: dict[str, Tensor], x: Tensor, z: Tensor) -> Tensor:
            functional_call(self._step, tensors, (losses, x, z, update), tie_weights=False)
            return x.new_zeros(())

        vmap(of_member, randomness="different")(self._tensors, x, z)


class _Step(nn.Module):
    """The losses of a round as one call of a module, for `functional_call`."""

    def __init__(self, networks: nn.Module) -> None:
        super().__init__()
        self.networks = networks

    def forward(
        self,
        losses: Callable[[Tensor, Tensor], Iterable[Any]],
        x: Tensor,
        z: Tensor,
        update: Callable[[Any, Tensor, Tensor], None],
    ) -> None:
        for loss in losses(x, z):
            judged = loss.value if loss.judged is None else loss.judged
            _OutsideVmap.apply(update, loss, loss.value, judged)  # type: ignore[no-untyped-call]


class _OutsideVmap(torch.autograd.Function):
    """Leave vmap for one call: there a loss has a value for each member, and a usual graph."""

    @staticmethod
    def forward(*args: Any) -> Any:
        raise NotImplementedError("for use within vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing is differentiated."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, update: Any, loss: Any, *values: Tensor) -> Any:
        update(
            loss, *(value.movedim(dim, 0) for value, dim in zip(values, in_dims[2:], strict=True))
        )
        return values[0].new_zeros(info.batch_size), 0
