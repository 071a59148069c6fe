"""Layers that PyTorch does not have."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm
from typing_extensions import override


class Dropout(nn.Module):
    """Dropout with its own random generator.

    PyTorch's layer draws from the global random state, which a fit must neither read nor
    change. Without a generator (see :func:`use_generator`) the global state is used.

    Parameters
    ----------
    p : float
        Probability of setting a unit to zero, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.generator: torch.Generator | None = None
        self.in_ensemble = False

    @override
    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if self.in_ensemble:  # vmap has no rule for the comparison below
            keep = torch.rand(x.shape, generator=self.generator, device=x.device)
            return x * keep.sub_(self.p).ceil_().div_(1 - self.p)
        # Twice as fast as `bernoulli_` on a CPU.
        keep = torch.rand(x.shape, generator=self.generator, device=x.device).ge_(self.p)
        return x * keep.div_(1 - self.p)

    def extra_repr(self) -> str:
        """Return the text between the brackets of ``repr``."""
        return f"p={self.p}"


class Noise(nn.Module):
    """Random numbers in the shape of the input, from its own generator (see :class:`Dropout`).

    Parameters
    ----------
    kind : {"normal", "uniform"}
        N(0, 1) or U[0, 1).
    """

    def __init__(self, kind: Literal["normal", "uniform"] = "normal") -> None:
        super().__init__()
        self.kind = kind
        self.generator: torch.Generator | None = None

    @override
    def forward(self, x: Tensor) -> Tensor:
        draw = torch.randn if self.kind == "normal" else torch.rand
        return draw(x.shape, generator=self.generator, device=x.device, dtype=x.dtype)


class LatentDraws(nn.Module):
    """Draws from N(0, I) that are the same for every sample, saved with the model.

    Parameters
    ----------
    n_draws, latent_dim : int
        Shape of the buffer `noise`.
    """

    def __init__(self, n_draws: int, latent_dim: int) -> None:
        super().__init__()
        self.noise: Tensor
        self.register_buffer("noise", torch.empty(n_draws, latent_dim))

    def draw(self, generator: torch.Generator) -> None:
        """Fill the draws."""
        self.noise.normal_(generator=generator)


def use_generator(module: nn.Module, generator: torch.Generator | None) -> None:
    """Let every :class:`Dropout` and :class:`Noise` below `module` draw from `generator`."""
    for layer in module.modules():
        if isinstance(layer, Dropout | Noise):
            layer.generator = generator


class SpectralNorm(_SpectralNorm):
    """PyTorch's spectral norm with a power method without ``out=``, which also runs within vmap."""

    @torch.no_grad()
    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        if weight_mat.is_meta:  # weights come later, and nothing is computed before
            return
        for _ in range(n_power_iterations):
            u = F.normalize(torch.mv(weight_mat, self._v), dim=0, eps=self.eps)
            self._u.copy_(u)
            v = F.normalize(torch.mv(weight_mat.T, u), dim=0, eps=self.eps)
            self._v.copy_(v)


def spectrally_normalised(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """Divide the weights of `layer` by their largest singular value; return it."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer


class SameConv2d(nn.Conv2d):
    """Convolution whose output has ``ceil(size / stride)`` pixels a side.

    The padding is TensorFlow's "same", as in the published networks: if it cannot be equal on both
    sides, the extra pixel goes to the bottom and to the right.
    """

    @override
    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        sides = zip(x.shape[-2:], self.kernel_size, self.stride, strict=True)
        for size, kernel, stride in reversed(list(sides)):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


class Crop(nn.Module):
    """Crop to the upper left `height` x `width` pixels, to undo the halving of an odd side."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.height, : self.width]


def halvings(height: int, width: int, end: int) -> list[tuple[int, int]]:
    """Return the sizes (h, w) of repeated halving until no side is longer than `end`."""
    sizes = [(height, width)]
    while max(sizes[-1]) > end:
        h, w = sizes[-1]
        sizes.append((-(-h // 2) if h > end else h, -(-w // 2) if w > end else w))
    return sizes


def strides(size: tuple[int, int], end: int) -> tuple[int, int]:
    """Return the strides from `size` to the next size of :func:`halvings`."""
    return (2 if size[0] > end else 1, 2 if size[1] > end else 1)


# --------------------------------------------------------------------------- discriminators


class Discriminator(nn.Module):
    """D(x): a trunk, whose output is the features f, and a linear logit.

    Parameters
    ----------
    trunk : nn.Module
        Maps samples to the flat features f of the last hidden layer.
    n_features : int
        Length of f.
    bias : bool
        Whether the logit has a bias.
    """

    def __init__(self, trunk: nn.Module, n_features: int, *, bias: bool = True) -> None:
        super().__init__()
        self.trunk = trunk
        self.logit = nn.Linear(n_features, 1, bias=bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits d(x), shape (n,), and the features f(x), shape (n, n_features).

        The probability that the sample is real is sigmoid(d).
        """
        features = self.trunk(x)
        return self.logit(features).squeeze(1), features


class JointDiscriminator(nn.Module):
    """D(x, z): one stem for the sample, one for the latent, and a joint trunk.

    Parameters
    ----------
    sample_stem : nn.Module
        Maps samples to flat features.
    latent_stem : nn.Module
        Maps latents to flat features.
    trunk : nn.Module
        Maps the concatenation of both to the features f of the last hidden layer.
    n_features : int
        Length of f.
    """

    def __init__(
        self, sample_stem: nn.Module, latent_stem: nn.Module, trunk: nn.Module, n_features: int
    ) -> None:
        super().__init__()
        self.sample_stem = sample_stem
        self.latent_stem = latent_stem
        self.trunk = trunk
        self.logit = nn.Linear(n_features, 1)

    def forward(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits d(x, z), shape (n,), and the features f(x, z), shape (n, n_features).

        The probability that the pair came from the encoder is sigmoid(d).
        """
        joined = torch.cat([self.sample_stem(x), self.latent_stem(z)], dim=1)
        features = self.trunk(joined)
        return self.logit(features).squeeze(1), features
