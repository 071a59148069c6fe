"""Adversarial losses that several methods share."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def discriminator_loss(logit_real: Tensor, logit_generated: Tensor) -> Tensor:
    """-log D(real) - log(1 - D(generated)), each averaged; D is the sigmoid of its logit.

    Goodfellow et al. 2014, equation 1. For pairs (x, z), those of the encoder are the real ones.
    """
    return F.softplus(-logit_real).mean() + F.softplus(logit_generated).mean()


def critic_loss(D: nn.Module, x: Tensor, fake: Tensor, fraction: Tensor) -> Tensor:
    """WGAN-GP's loss, with the penalty at `fraction`, (n,) in [0, 1], of the way from x to fake.

    Gulrajani et al. 2017, equation 3, with their weight of 10.
    """
    distance: Tensor = D(x)[0].mean() - D(fake)[0].mean()
    return 10 * gradient_penalty(D, x, fake, fraction) - distance


def gradient_penalty(D: nn.Module, x: Tensor, fake: Tensor, fraction: Tensor) -> Tensor:
    """(|| gradient of D at x + fraction (fake - x) ||_2 - 1)^2, averaged over the batch."""
    between = x + fraction.view(-1, *[1] * (x.ndim - 1)) * (fake - x)
    try:
        between.requires_grad_()
    except RuntimeError:  # not allowed within vmap
        gradient = torch.func.grad(lambda at: D(at)[0].sum())(between)
    else:
        (gradient,) = torch.autograd.grad(D(between)[0].sum(), between, create_graph=True)
    norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norm - 1).square().mean()


def r1_penalty(D: nn.Module, *real: Tensor) -> Tensor:
    """1/2 || gradient of the logit of D at real inputs ||_2^2, by all inputs, averaged.

    R_1 of Mescheder et al. 2018, equation 9, which keeps D flat near the data. Gradients flow to D
    only, and not to the networks that computed its inputs.
    """

    def total(*inputs: Tensor) -> Tensor:
        logit: Tensor = D(*inputs)[0].sum()
        return logit

    inputs = tuple(tensor.detach() for tensor in real)
    gradients = torch.func.grad(total, argnums=tuple(range(len(inputs))))(*inputs)
    squares = torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients])
    return squares.sum(0).mean() / 2


def batch_slices(n: int, n_parts: int) -> list[slice]:
    """Split the n rows of a batch into `n_parts` slices of equal length; fewer if n is small."""
    size = -(-n // n_parts)
    return [slice(start, start + size) for start in range(0, n, size)]
