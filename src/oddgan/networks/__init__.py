"""Networks: the bodies that a detector asks for by role.

A detector says which role it needs and for what shape; a shape ``(d,)`` is an encoded table
row and gets a dense body, a shape ``(c, h, w)`` is an image and gets a convolutional one. At
28 x 28 pixels and at 121 columns the bodies are those of the EGBAD paper's official code
(Zenati et al. 2018); other sizes follow the same rule, stated in :mod:`.image`.
"""

from collections.abc import Sequence

from torch import nn

from . import image, table
from ._blocks import Dropout, use_generator
from ._initialise import initialise
from .joint import JointDiscriminator
from .likelihood import Decoder

__all__ = [
    "Decoder",
    "Dropout",
    "JointDiscriminator",
    "encoder",
    "generator",
    "initialise",
    "joint_discriminator",
    "use_generator",
]


def encoder(shape: Sequence[int], out_features: int, *, width: int | None = None) -> nn.Module:
    """Network from samples of `shape` to ``(n, out_features)``, with a linear output.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    out_features : int
        Size of the output, for example the latent dimension.
    width : int or None
        Units of the hidden layer (table) or channels of the first strided convolution (image);
        None is 64, as in the EGBAD code.
    """
    if len(shape) == 1:
        return table.encoder(shape[0], out_features, width=width or 64)
    return image.encoder(shape, out_features, width=width or 64)


def generator(
    shape: Sequence[int],
    latent_dim: int,
    *,
    width: int | None = None,
    output: nn.Module | None = None,
) -> nn.Module:
    """Network from ``(n, latent_dim)`` to samples of `shape`.

    Parameters
    ----------
    shape : (d,) or (c, h, w)
        Shape of one encoded sample.
    latent_dim : int
        Size of the latent vector.
    width : int or None
        As in :func:`encoder`.
    output : nn.Module or None
        Last layer. None is the range of the encoded input: the identity for tables, tanh for
        images.
    """
    if len(shape) == 1:
        return table.generator(shape[0], latent_dim, width=width or 64, output=output)
    return image.generator(shape, latent_dim, width=width or 64, output=output)


def joint_discriminator(
    shape: Sequence[int], latent_dim: int, *, width: int | None = None
) -> JointDiscriminator:
    """BiGAN's discriminator of pairs (x, z); returns logits and features.

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
