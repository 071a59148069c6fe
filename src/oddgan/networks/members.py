"""Several networks of one make as a single module, whose weights have one axis more."""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from .layers import Dropout


def stacked(members: Sequence[nn.Module]) -> nn.Module:
    """Return a module like each of `members` with the weights of all, of shape (K, ...).

    It cannot be called: training lends its layers the weights of one member, for all members
    together. Weights and buffers have the names that they have in a member.
    """
    alike = [dict(_tensors(module)) for module in members]

    def joined(name: str, tensor: Tensor) -> Tensor:
        together = torch.stack([tensors[name].detach() for tensors in alike])
        # A batched product has the gradient of (n, m) weights as (m, n): it need not be copied.
        return together.mT.contiguous().mT if tensor.ndim == 2 else together

    return _with_tensors(members[0], joined, in_ensemble=True)


def member(population: nn.Module, k: int) -> nn.Module:
    """Return member `k` of a :func:`stacked` module by itself, with copies of its weights."""
    return _with_tensors(
        population,
        lambda _, tensor: tensor[k].detach().clone(memory_format=torch.contiguous_format),
        in_ensemble=False,
    )


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _with_tensors(
    module: nn.Module, new: Callable[[str, Tensor], Tensor], *, in_ensemble: bool
) -> nn.Module:
    """Return a copy of `module` with `new(name, tensor)` in place of each weight and buffer."""
    instead: dict[int, object] = {}
    for name, tensor in _tensors(module):
        value = new(name, tensor)
        if isinstance(tensor, nn.Parameter):
            value = nn.Parameter(value, requires_grad=tensor.requires_grad)
        instead[id(tensor)] = value
    copied = copy.deepcopy(module, instead)
    for layer in copied.modules():
        if isinstance(layer, Dropout):
            layer.in_ensemble = in_ensemble
    return copied
