"""ALAD: Adversarially Learned Anomaly Detection (Zenati et al. 2018)."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.networks.architectures import pairs
from oddgan.scores import Score, binary_cross_entropy, distance
from oddgan.training import Loss, discriminator_loss


class ALAD(Detector):
    r"""Adversarially learned anomaly detection: a BiGAN that learns to close its cycles.

    A generator G: z -> x and an encoder E: x -> z play against three discriminators,

    .. math::
        \min_{G,E} \max_{D_{xz}, D_{xx}, D_{zz}} \;
        &\mathbb{E}_x[\log D_{xz}(x, E(x))] + \mathbb{E}_z[\log(1 - D_{xz}(G(z), z))] \\
        + \; &\mathbb{E}_x[\log D_{xx}(x, x) + \log(1 - D_{xx}(x, G(E(x))))] \\
        + \; &\mathbb{E}_z[\log D_{zz}(z, z) + \log(1 - D_{zz}(z, E(G(z))))],
        \quad z \sim N(0, I).

    The first is BiGAN's; the others are deceived only by G(E(x)) = x and E(G(z)) = z. G and E
    minimise the cross-entropies of all pairs, real and fake, with the labels exchanged. With f
    the last hidden layer of D_xx, the anomaly score of a sample is

    .. math:: A(x) = \lVert f_{xx}(x, x) - f_{xx}(x, G(E(x))) \rVert_1.

    Parameters
    ----------
    score_name : {"features", "logits", "l1", "l2"}, default="features"
        What the anomaly score is; all four are in the paper, and in `score_components`.

        - "features": A(x) above;
        - "logits": -log D_xx(x, G(E(x)));
        - "l1": || x - G(E(x)) ||_1;
        - "l2": || x - G(E(x)) ||_2.
    spectral_norm : bool or "images", default="images"
        Whether E and the discriminators have spectral norm in all layers but the last. In the
        official code the networks for tables have none, whatever its flag.
    use_dzz : bool, default=True
        Whether there is a D_zz; False is the paper's ablation.
    **options
        See Other Parameters. Default here: `ema_decay` 0.999. The paper trains tables at a
        `learning_rate` of 1e-5 for very long, and images with twice the default `width`;
        :meth:`from_preset` ("paper-kdd", "paper-cifar10") gives its settings.

    Notes
    -----
    Networks are those of the official code for KDD99 and for CIFAR-10, at whose 32 x 32 pixels a
    `width` of 128 gives its channels (:mod:`oddgan.networks.architectures.pairs`; G is that of
    :mod:`oddgan.networks.architectures.dcgan`). Unlike there, D_xx sees two images as channels of
    one, where the code puts one below the other; G and E are updated on the batch that the
    discriminators have just been updated on, instead of on one of a second permutation; weights for
    images start from N(0, 0.02^2) instead of N(0, 0.01^2), which normalisation makes the same in
    all layers but the last; and the score of held-out samples does not stop the training.

    Use it when a comparison needs it, or with score="l1" as a BiGAN whose reconstructions are held
    to their samples by training.

    Do not use it when one training run has to be relied on, above all not with the paper's score
    on a table: D_xx only ever saw pairs of almost equal samples, and what f_xx says of others
    changes from seed to seed. On KDD99 scaled to [0, 1] the F1 of "features" was .23 with a
    deviation of .30 between seeds, of the residual of the same networks, in units of its
    covariance, .954 with .006.

    References
    ----------
    H. Zenati, M. Romain, C. S. Foo, B. Lecouat, V. R. Chandrasekhar. Adversarially Learned
    Anomaly Detection. ICDM 2018, arXiv 1812.02288.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import ALAD
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = ALAD(max_steps=100, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Zenati et al. 2018, arXiv 1812.02288"
    scores = ("features", "logits", "l1", "l2")
    prior = "matched"
    ema_decay: float = 0.999
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-kdd": as_published(
            latent_dim=32, batch_size=50, learning_rate=1e-5, ema_decay=0.999, epochs=100
        ),
        "paper-cifar10": as_published(
            latent_dim=100,
            width=128,
            batch_size=32,
            learning_rate=2e-4,
            ema_decay=0.999,
            epochs=100,
        ),
    }
    _autoencoder = ("encoder", "generator")
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 100}

    spectral_norm: bool | Literal["images"] = parameter(
        default="images", constraint=["boolean", StrOptions({"images"})]
    )
    use_dzz: bool = parameter(default=True, constraint=["boolean"])

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width or 64
        sn = spec.kind == "image" if self.spectral_norm == "images" else bool(self.spectral_norm)
        nets: dict[str, nn.Module] = {
            "generator": networks.generator(shape, latent_dim, width=width, family="dcgan"),
            "encoder": pairs.encoder(shape, latent_dim, width=width, spectral_norm=sn),
            "discriminator_xz": pairs.joint_discriminator(
                shape, latent_dim, width=width, spectral_norm=sn
            ),
            "discriminator_xx": pairs.sample_discriminator(shape, width=width, spectral_norm=sn),
        }
        if self.use_dzz:
            nets["discriminator_zz"] = pairs.latent_discriminator(
                shape, latent_dim, width=width, spectral_norm=sn
            )
        return nets

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        G, E = nets["generator"], nets["encoder"]
        Ex, Gz = E(x), G(z)
        real = {"discriminator_xz": (x, Ex), "discriminator_xx": (x, x)}
        fake = {"discriminator_xz": (Gz, z), "discriminator_xx": (x, G(Ex))}
        if self.use_dzz:
            real["discriminator_zz"], fake["discriminator_zz"] = (z, z), (z, E(Gz))
        for role in real:
            D = nets[role]
            logits = (D(*(part.detach() for part in pair))[0] for pair in (real[role], fake[role]))
            yield Loss(role, discriminator_loss(*logits), (role,), adversary=True)
        # Exchanged labels: each term of E's loss that E has no part in has no gradient for E, and
        # so for G. Their losses, which share the cycles, are therefore minimised as one.
        exchanged = [discriminator_loss(nets[r](*fake[r])[0], nets[r](*real[r])[0]) for r in real]
        yield Loss("generator and encoder", torch.stack(exchanged).sum(), ("generator", "encoder"))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        y = nets["generator"](nets["encoder"](x))
        D = nets["discriminator_xx"]
        logit, features = D(x, y)
        components = {
            "features": distance(D(x, x)[1], features),
            "logits": binary_cross_entropy(logit, 1),
            "l1": distance(x, y),
            "l2": distance(x, y, 2),
        }
        return Score(components, (x - y).abs(), {score: 1.0})

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator_xz"](x, nets["encoder"](x))[1]
        return features
