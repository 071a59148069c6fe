"""One network with separate weights for every row."""

from torch import Tensor, nn
from torch.func import functional_call, vmap

from .condition import condition_on, current_condition


def generate(generator: nn.Module, z: Tensor, *weights: Tensor) -> Tensor:
    """Return g_j(z_j) for m latents, each with its own weights, shape (m, ...)."""
    names = [name for name, _ in generator.named_parameters()]
    buffers = dict(generator.named_buffers())

    def generate_row(z: Tensor, condition: Tensor | None, *weights: Tensor) -> Tensor:
        tensors = buffers | dict(zip(names, weights, strict=True))
        with condition_on(None if condition is None else condition[None]):
            y: Tensor = functional_call(generator, tensors, (z[None],))
        return y[0]

    condition = current_condition()
    in_dims = (0, None if condition is None else 0, *[0] * len(weights))
    rows: Tensor = vmap(generate_row, in_dims=in_dims)(z, condition, *weights)
    return rows
