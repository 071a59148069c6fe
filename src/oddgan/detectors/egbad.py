"""EGBAD: Efficient GAN-Based Anomaly Detection with a BiGAN (Zenati et al. 2018)."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.scores import Score, binary_cross_entropy, distance
from oddgan.training import Loss, discriminator_loss, r1_penalty


class EGBAD(Detector):
    r"""Efficient GAN-based anomaly detection: a BiGAN whose encoder makes search needless.

    A generator G: z -> x, an encoder E: x -> z and a discriminator D of pairs play

    .. math::
        \min_{G,E} \max_D \; \mathbb{E}_x[\log D(x, E(x))]
        + \mathbb{E}_{z}[\log(1 - D(G(z), z))], \quad z \sim N(0, I).

    G and E minimise -log D(G(z), z) and -log(1 - D(x, E(x))), the non-saturating form that the
    official code uses, or what `training` says. The anomaly score of a sample is, with
    w = `weight_disc`,

    .. math::
        A(x) = (1 - w) \, \lVert x - G(E(x)) \rVert_1 + w \, L_D(x),

    where L_D is chosen by `score`. Norms are sums over pixels or columns, as published.

    Parameters
    ----------
    score_name : {"sigma", "sigma_reconstruction", "feature_matching"}, default="sigma"
        The discriminator's part L_D of the score, with d the logit of D and f its last hidden
        layer:

        - "sigma": -log D(x, E(x)), the paper's equation;
        - "sigma_reconstruction": -log D(G(E(x)), E(x)), what the official code computes under
          the paper's name;
        - "feature_matching": || f(x, E(x)) - f(G(E(x)), E(x)) ||_1, in both.
    weight_disc : float, default=0.1
        Weight w of L_D, in [0, 1]; 0.1 is alpha = 0.9 in the paper.
    degree : {1, 2}, default=1
        Degree of both norms.
    training : {"cross_entropy", "feature_matching"}, default="cross_entropy"
        What G and E minimise; D's own loss is the same with both:

        - "cross_entropy": the paper's objective, as above;
        - "feature_matching": both together (1/k) || mean f(x, E(x)) - mean f(G(z), z) ||_2^2,
          with means over the batch and k the length of f (Salimans et al. 2016, here of pairs). Di
          Mattia et al. compare the two.
    r1_weight : float, default=0.0
        Weight of an R1 penalty in the loss of D, which holds it flat where the data are (Mescheder
        et al. 2018): 1/2 E || gradient of d at (x, E(x)) ||_2^2. Not in the paper.
    dropout : bool, default=True
        Whether D has dropout, as in the official code.
    **options
        See Other Parameters. Default here: `ema_decay` 0.999. The paper trains at a
        `learning_rate` of 1e-5 for very long; :meth:`from_preset` ("paper-mnist", "paper-kdd")
        gives its settings.

    Notes
    -----
    Networks are those of the official code at 28 x 28 pixels and for tables; other sizes follow
    their rule (:mod:`oddgan.networks`). Unlike there, G and E are updated on the batch that D
    has just been updated on, instead of on one of a second permutation.

    Features are matched in their batch means because x and z are drawn apart: a distance of single
    pairs would punish G and E for all that varies from sample to sample. The toolbox of Di Mattia
    et al. has had both forms; with single pairs G alone matched features there, and E kept its
    cross-entropy.

    Sums make the residual outweigh L_D, so the three scores differ little; see `score_components`.
    The sign of "sigma" away from the training data is not defined by the objective: on tables
    with a wide scaling it is often upside down.

    Use it when a comparison needs the BiGAN of the literature, or a GAN that scores in one pass
    instead of by a search. With one of MNIST's digits anomalous its mean AUROC, .61, was above
    that of the VAE, .51, though below that of PCA, .68.

    Do not use it when one training run has to be relied on. Nothing in the objective ties
    G(E(x)) to x, and runs that differ in their seed alone differ much: on KDD99 three of them
    flagged with an F1 of .71 to .92, where one raw column reaches .93. Nor use it when odd samples
    are simpler than normal ones: they leave less to get wrong, and so score lower.

    References
    ----------
    H. Zenati, C. S. Foo, B. Lecouat, G. Manek, V. R. Chandrasekhar. Efficient GAN-Based Anomaly
    Detection. arXiv 1802.06222, 2018.

    L. Mescheder, A. Geiger, S. Nowozin. Which Training Methods for GANs do actually Converge? ICML
    2018, arXiv 1801.04406.

    T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen. Improved Techniques for
    Training GANs. arXiv 1606.03498, 2016.

    F. Di Mattia, P. Galeone, M. De Simoni, E. Ghelfi. A Survey on GANs for Anomaly Detection.
    arXiv 1906.11632, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import EGBAD
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = EGBAD(epochs=10, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Zenati et al. 2018, arXiv 1802.06222"
    scores = ("sigma", "sigma_reconstruction", "feature_matching")
    prior = "matched"
    ema_decay: float = 0.999
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-mnist": as_published(
            latent_dim=200, batch_size=100, learning_rate=1e-5, ema_decay=0.999, epochs=100
        ),
        "paper-kdd": as_published(
            latent_dim=32, batch_size=50, learning_rate=1e-5, ema_decay=0.9999, epochs=50
        ),
    }
    _autoencoder = ("encoder", "generator")

    weight_disc: float = parameter(default=0.1, constraint=[Interval(Real, 0, 1, closed="both")])
    degree: int = parameter(default=1, constraint=[Options(Integral, {1, 2})])
    training: Literal["cross_entropy", "feature_matching"] = parameter(
        default="cross_entropy", constraint=[StrOptions({"cross_entropy", "feature_matching"})]
    )
    r1_weight: float = parameter(default=0.0, constraint=[Interval(Real, 0, None, closed="left")])
    dropout: bool = parameter(default=True, constraint=["boolean"])

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        discriminator = networks.joint_discriminator(shape, latent_dim, width=width)
        if not self.dropout:
            for layer in discriminator.modules():
                if isinstance(layer, networks.Dropout):
                    layer.p = 0.0
        return {
            "generator": networks.generator(shape, latent_dim, width=width),
            "encoder": networks.encoder(shape, latent_dim, width=width),
            "discriminator": discriminator,
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        D = nets["discriminator"]
        Ex, Gz = nets["encoder"](x), nets["generator"](z)
        loss = judged = discriminator_loss(D(x, Ex.detach())[0], D(Gz.detach(), z)[0])
        if self.r1_weight:
            loss = loss + self.r1_weight * r1_penalty(D, x, Ex)
        yield Loss("discriminator", loss, ("discriminator",), adversary=True, judged=judged)
        if self.training == "feature_matching":
            matched = mse_loss(D(Gz, z)[1].mean(0), D(x, Ex)[1].mean(0))
            yield Loss("generator and encoder", matched, ("generator", "encoder"))
            return
        yield Loss("generator", binary_cross_entropy(D(Gz, z)[0], 1).mean(), ("generator",))
        yield Loss("encoder", binary_cross_entropy(D(x, Ex)[0], 0).mean(), ("encoder",))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        D = nets["discriminator"]
        z = nets["encoder"](x)
        y = nets["generator"](z)
        if score == "sigma":
            l_d = binary_cross_entropy(D(x, z)[0], 1)
        elif score == "sigma_reconstruction":
            l_d = binary_cross_entropy(D(y, z)[0], 1)
        else:
            l_d = distance(D(x, z)[1], D(y, z)[1], self.degree)
        components = {"residual": distance(x, y, self.degree), score: l_d}
        weights = {"residual": 1 - self.weight_disc, score: self.weight_disc}
        return Score(components, (x - y).abs(), weights)

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x, nets["encoder"](x))[1]
        return features
