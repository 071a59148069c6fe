"""Networks, by role and shape of the input.

A shape ``(d,)`` is an encoded table row and gets a dense network (:mod:`.architectures.table`); a
shape ``(c, h, w)`` is an image and gets a convolutional one of a `family`: "egbad"
(:mod:`.architectures.image`; at 28 x 28 pixels, and at 121 columns, those of the EGBAD paper's
official code, Zenati et al. 2018), "dcgan" (:mod:`.architectures.dcgan`; at 32 x 32 and 64 x 64
pixels those of GANomaly's) or "residual" (:mod:`.architectures.residual`; at 64 x 64 pixels those
of f-AnoGAN's). Other sizes follow the same rules.

- :mod:`.architectures`: the networks; :mod:`.layers`: layers that PyTorch does not have.
- :mod:`.retrieval`: networks that compare a sample with its neighbours in the training set.
- :mod:`.initialise`: first weights; :mod:`.condition`: conditional networks.
- :mod:`.members`: the members of an ensemble in one module; :mod:`.private`: separate weights for
  each row.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from torch import nn

from .architectures import dcgan, image, residual, table, unet
from .architectures.likelihood import Decoder
from .architectures.unet import UNet
from .condition import (
    bare,
    condition_layers,
    condition_on,
    condition_on_rows,
    current_condition,
    exclude_from_condition,
)
from .initialise import Scheme, initialise
from .layers import Discriminator, Dropout, JointDiscriminator, LatentDraws, Noise, use_generator
from .members import member, stacked
from .private import generate
from .retrieval.columns import Columns
from .retrieval.corruption import CorruptionPool
from .retrieval.monotone import MonotoneCritics
from .retrieval.neighbourhood import Neighbourhood

__all__ = [
    "Columns",
    "CorruptionPool",
    "Decoder",
    "Discriminator",
    "Dropout",
    "JointDiscriminator",
    "LatentDraws",
    "MonotoneCritics",
    "Neighbourhood",
    "Noise",
    "Scheme",
    "UNet",
    "bare",
    "condition_layers",
    "condition_on",
    "condition_on_rows",
    "critic",
    "current_condition",
    "discriminator",
    "encoder",
    "exclude_from_condition",
    "generate",
    "generator",
    "initialise",
    "joint_discriminator",
    "member",
    "stacked",
    "u_net",
    "use_generator",
]

Family = Literal["egbad", "dcgan", "residual"]


class _Bodies(Protocol):
    """The functions of each module of image networks."""

    def encoder(self, shape: Sequence[int], out_features: int, *, width: int) -> nn.Module: ...
    def generator(
        self, shape: Sequence[int], latent_dim: int, *, width: int, output: nn.Module | None
    ) -> nn.Module: ...
    def discriminator(self, shape: Sequence[int], *, width: int) -> Discriminator: ...


_IMAGE: dict[Family, _Bodies] = {"egbad": image, "dcgan": dcgan, "residual": residual}


def encoder(
    shape: Sequence[int],
    out_features: int,
    *,
    width: int | None = None,
    family: Family = "egbad",
) -> nn.Module:
    """Return a network from samples of `shape` to ``(n, out_features)``, with a linear output.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    out_features : int
        Size of the output, for example the latent dimension.
    width : int or None
        Units of the hidden layer (table) or channels of the first strided convolution (image);
        None is 64, as in the official codes.
    family : {"egbad", "dcgan", "residual"}
        Architecture for images.
    """
    if len(shape) == 1:
        return table.encoder(shape[0], out_features, width=width or 64)
    return _IMAGE[family].encoder(shape, out_features, width=width or 64)


def generator(
    shape: Sequence[int],
    latent_dim: int,
    *,
    width: int | None = None,
    output: nn.Module | None = None,
    family: Family = "egbad",
) -> nn.Module:
    """Return a network from ``(n, latent_dim)`` to samples of `shape`.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    latent_dim : int
        Size of the latent vector.
    width, family
        As in :func:`encoder`.
    output : nn.Module or None
        Last layer; None is the identity for tables and tanh for images, the ranges of encoded
        inputs.
    """
    if len(shape) == 1:
        return table.generator(shape[0], latent_dim, width=width or 64, output=output)
    return _IMAGE[family].generator(shape, latent_dim, width=width or 64, output=output)


def discriminator(
    shape: Sequence[int], *, width: int | None = None, family: Family = "egbad"
) -> Discriminator:
    """Return a discriminator of samples, which returns logits and features.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    width, family
        As in :func:`encoder`.
    """
    if len(shape) == 1:
        return table.discriminator(shape[0], width=width or 64)
    return _IMAGE[family].discriminator(shape, width=width or 64)


def critic(shape: Sequence[int], *, width: int | None = None) -> Discriminator:
    """Return a critic of samples for WGAN-GP, without dropout and without batch norm.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample; images get residual blocks (:mod:`.architectures.residual`).
    width : int or None
        As in :func:`encoder`.
    """
    if len(shape) == 1:
        return residual.dense_critic(shape[0], width=width or 64)
    return residual.discriminator(shape, width=width or 64)


def joint_discriminator(
    shape: Sequence[int], latent_dim: int, *, width: int | None = None
) -> JointDiscriminator:
    """Return BiGAN's discriminator of pairs (x, z), which returns logits and features.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    latent_dim : int
        Size of the latent vector.
    width : int or None
        As in :func:`encoder`.
    """
    if len(shape) == 1:
        return table.joint_discriminator(shape[0], latent_dim, width=width or 64)
    return image.joint_discriminator(shape, latent_dim, width=width or 64)


def u_net(shape: Sequence[int], latent_dim: int, *, width: int | None = None) -> UNet:
    """Return a U-net with skip connections, from samples of `shape` to reconstructions and latents.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    latent_dim : int
        Size of the narrowest layer.
    width : int or None
        As in :func:`encoder`.
    """
    if len(shape) == 1:
        return unet.table(shape[0], latent_dim, width=width or 64)
    return unet.image(shape, latent_dim, width=width or 64)
