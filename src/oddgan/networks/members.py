"""The networks of an ensemble as a single module, whose weights have one more axis."""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from .layers import Dropout


def stacked(members: Sequence[nn.Module]) -> nn.Module:
    """Return a module like each of `members`, with the weights of all, of shape (K, ...).

    It cannot be called directly: training calls its layers with the weights of one member, for all
    members at once. Weights and buffers have the same names as in a member.
    """
    tensors_by_member = [dict(_tensors(module)) for module in members]

    def stack(name: str, tensor: Tensor) -> Tensor:
        values = torch.stack([tensors[name].detach() for tensors in tensors_by_member])
        # A batched product returns the gradient of (n, m) weights as (m, n): this avoids a copy.
        return values.mT.contiguous().mT if tensor.ndim == 2 else values

    return _with_tensors(members[0], stack, in_ensemble=True)


def member(ensemble: nn.Module, k: int) -> nn.Module:
    """Return member `k` of a :func:`stacked` module, with copies of its weights."""
    return _with_tensors(
        ensemble,
        lambda _, tensor: tensor[k].detach().clone(memory_format=torch.contiguous_format),
        in_ensemble=False,
    )


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _with_tensors(
    module: nn.Module, replace: Callable[[str, Tensor], Tensor], *, in_ensemble: bool
) -> nn.Module:
    """Return a copy of `module` with `replace(name, tensor)` for each weight and buffer."""
    memo: dict[int, object] = {}
    for name, tensor in _tensors(module):
        value = replace(name, tensor)
        if isinstance(tensor, nn.Parameter):
            value = nn.Parameter(value, requires_grad=tensor.requires_grad)
        memo[id(tensor)] = value
    result = copy.deepcopy(module, memo)
    for layer in result.modules():
        if isinstance(layer, Dropout):
            layer.in_ensemble = in_ensemble
    return result
