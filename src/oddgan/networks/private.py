"""One network, and weights of its own for every row."""

from torch import Tensor, nn
from torch.func import functional_call, vmap

from .condition import current_condition, given


def generate(generator: nn.Module, z: Tensor, *weights: Tensor) -> Tensor:
    """Return g_j(z_j) for m latents, each with weights of its own, shape (m, ...)."""
    names = [name for name, _ in generator.named_parameters()]
    fixed = dict(generator.named_buffers())

    def one(z: Tensor, condition: Tensor | None, *weights: Tensor) -> Tensor:
        own = fixed | dict(zip(names, weights, strict=True))
        with given(None if condition is None else condition[None]):
            y: Tensor = functional_call(generator, own, (z[None],))
        return y[0]

    condition = current_condition()
    in_dims = (0, None if condition is None else 0, *[0] * len(weights))
    made: Tensor = vmap(one, in_dims=in_dims)(z, condition, *weights)
    return made
