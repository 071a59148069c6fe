"""Dense networks for tables: the KDD99 networks of the EGBAD code (121 inputs), for any width."""

from torch import nn

from oddgan.networks.layers import Discriminator, Dropout, JointDiscriminator

SLOPE = 0.1  # of the leaky ReLU, as in the official code


def encoder(n_inputs: int, out_features: int, *, width: int) -> nn.Module:
    """Return FC `width`, leaky ReLU, FC `out_features`."""
    return nn.Sequential(
        nn.Linear(n_inputs, width), nn.LeakyReLU(SLOPE), nn.Linear(width, out_features)
    )


def generator(
    n_outputs: int, latent_dim: int, *, width: int, output: nn.Module | None
) -> nn.Module:
    """Return FC `width`, ReLU, FC 2 `width`, ReLU, FC `n_outputs`, `output` (or nothing)."""
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, width),
        nn.ReLU(),
        nn.Linear(width, 2 * width),
        nn.ReLU(),
        nn.Linear(2 * width, n_outputs),
    ]
    return nn.Sequential(*layers, *([output] if output else []))


def discriminator(n_inputs: int, *, width: int) -> Discriminator:
    """Return FC 4 `width`, FC 2 `width`, FC 2 `width`, each with leaky ReLU and dropout 0.2."""
    layers: list[nn.Module] = []
    last = n_inputs
    for n in (4 * width, 2 * width, 2 * width):
        layers += [nn.Linear(last, n), nn.LeakyReLU(SLOPE), Dropout(0.2)]
        last = n
    return Discriminator(nn.Sequential(*layers), last)


def joint_discriminator(n_inputs: int, latent_dim: int, *, width: int) -> JointDiscriminator:
    """Return two stems and a trunk of FC 2 `width`, leaky ReLU, dropout 0.2."""

    def layer(n: int) -> nn.Module:
        return nn.Sequential(nn.Linear(n, 2 * width), nn.LeakyReLU(SLOPE), Dropout(0.2))

    return JointDiscriminator(layer(n_inputs), layer(latent_dim), layer(4 * width), 2 * width)
