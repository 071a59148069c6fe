"""The members of an ensemble trained in one pass: PyTorch's vmap over their weights.

A training step is one call that vmap runs for all members together. Within it every tensor has
the shape that it has for one member: losses need not know about ensembles, and operations that mix
the rows of a batch (batch norm, a mean of features) mix the rows of one member.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Ensemble:
    """Networks of K members that compute the losses of a training step together.

    Parameters
    ----------
    networks : nn.Module
        Holds the weights of all members, each tensor of shape (K, ...). Its tensors may be
        changed in place, but not replaced.
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
        """Compute the losses of a training step, one after the other.

        Parameters
        ----------
        losses : callable
            From samples and latent draws of one member to the losses of its training step, in
            order (:class:`.Loss`). It calls layers of the networks. It must not branch on the
            value of a tensor, require gradients of a tensor (:func:`torch.func.grad` is fine), or
            replace a buffer.
        x, z : Tensor of shapes (K, n, ...) and (K, n, latent_dim)
            Samples and latent draws of all members.
        update : callable
            ``update(loss, value, judged)``, both tensors of shape (K,), updates the networks of
            this loss before the next loss is computed.
        """

        def of_member(tensors: dict[str, Tensor], x: Tensor, z: Tensor) -> Tensor:
            functional_call(self._step, tensors, (losses, x, z, update), tie_weights=False)
            return x.new_zeros(())

        vmap(of_member, randomness="different")(self._tensors, x, z)


class _Step(nn.Module):
    """The losses of a training step as one call of a module, for `functional_call`."""

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
    """Leave vmap for one call: outside, a loss has a value for each member and a normal graph."""

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
