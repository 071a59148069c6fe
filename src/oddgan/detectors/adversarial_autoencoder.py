"""AdversarialAutoencoder: the baseline aCAE of the AnoGAN paper (Schlegl et al. 2017)."""

from collections.abc import Iterator
from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, parameter
from oddgan.networks import Scheme
from oddgan.scores import Score, binary_cross_entropy, distance
from oddgan.training import Loss, discriminator_loss


class AdversarialAutoencoder(Detector):
    r"""An autoencoder whose reconstructions a discriminator must take for real samples.

    It is the adversarial convolutional autoencoder (aCAE) that AnoGAN was compared with: an
    encoder E takes the place of AnoGAN's search. With x^ = G(E(x)), the squared norm as a mean
    over its elements, and w_a = `w_adv`, E and G minimise the first line and D the second:

    .. math::
        L &= (1 - w_a) \lVert x - \hat x \rVert_2^2 - w_a \log D(\hat x), \\
        L_D &= -\log D(x) - \log(1 - D(\hat x)).

    The anomaly score is AnoGAN's, with f the last hidden layer of D and w = `weight_disc`:

    .. math::
        A(x) = (1 - w) \lVert x - \hat x \rVert_1 + w \, \lVert f(x) - f(\hat x) \rVert_1.

    Norms in the score are sums over pixels, columns or features, as published.

    Parameters
    ----------
    score_name : {"feature_matching", "residual"}, default="feature_matching"
        What the anomaly score is:

        - "feature_matching": A(x) above;
        - "residual": || x - x^ ||_1 alone.
    weight_disc : float, default=0.1
        Weight w of the features in A(x), in [0, 1]; lambda in AnoGAN's paper.
    w_adv : float, default=0.001
        Weight w_a of the adversarial term in training, in [0, 1].
    **options
        See Other Parameters.

    Notes
    -----
    What others call an adversarial autoencoder (Makhzani et al. 2015) has its discriminator on
    the latent vectors, to shape their distribution. This one has it on the samples, and nothing
    is asked of z.

    There is no official code. Networks are the DCGAN's
    (:mod:`oddgan.networks.architectures.dcgan`), as in the AnoGAN paper; the weights of the loss,
    0.999 and 0.001, are those of the context encoders that were trained so before (Pathak et al.
    2016).

    Use it when you want what AnoGAN measures in one pass instead of a search, with an encoder
    that is tied to the residual, as EGBAD's is not; or as the baseline beside AnoGAN.

    Do not use it when :class:`Autoencoder` does as well: at the published weight the adversary
    hardly moves the reconstructions, and costs a second network. On the paper's OCT images its
    AUC was .73 where AnoGAN had .89. On a table of fewer columns than `latent_dim` nothing
    narrows it: give a smaller one.

    References
    ----------
    T. Schlegl, P. Seeböck, S. M. Waldstein, U. Schmidt-Erfurth, G. Langs. Unsupervised Anomaly
    Detection with Generative Adversarial Networks to Guide Marker Discovery. arXiv 1703.05921,
    2017.
    D. Pathak, P. Krähenbühl, J. Donahue, T. Darrell, A. A. Efros. Context Encoders: Feature
    Learning by Inpainting. arXiv 1604.07379, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import AdversarialAutoencoder
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = AdversarialAutoencoder(latent_dim=2, epochs=10, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Schlegl et al. 2017, arXiv 1703.05921 (aCAE)"
    scores = ("feature_matching", "residual")
    _autoencoder = ("encoder", "generator")
    _denoised = "encoder"
    _initialisation: ClassVar[dict[str, Scheme]] = {"table": "xavier", "image": "dcgan"}

    weight_disc: float = parameter(default=0.1, constraint=[Interval(Real, 0, 1, closed="both")])
    w_adv: float = parameter(default=0.001, constraint=[Interval(Real, 0, 1, closed="both")])

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        return {
            "encoder": networks.encoder(shape, latent_dim, width=width, family="dcgan"),
            "generator": networks.generator(shape, latent_dim, width=width, family="dcgan"),
            "discriminator": networks.discriminator(shape, width=width, family="dcgan"),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        D = nets["discriminator"]
        y = nets["generator"](nets["encoder"](x))
        d_x, d_y = D(x)[0], D(y.detach())[0]
        loss = discriminator_loss(d_x, d_y)
        yield Loss("discriminator", loss, ("discriminator",), adversary=True)
        adversarial = binary_cross_entropy(D(y)[0], 1).mean()
        loss = (1 - self.w_adv) * mse_loss(y, x) + self.w_adv * adversarial
        yield Loss("autoencoder", loss, ("encoder", "generator"))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        D = nets["discriminator"]
        y = self._reconstruct(nets, x, score)
        components = {"residual": distance(x, y), "feature_matching": distance(D(x)[1], D(y)[1])}
        if score == "feature_matching":
            weights = {"residual": 1 - self.weight_disc, "feature_matching": self.weight_disc}
        else:
            weights = {"residual": 1.0}
        return Score(components, (x - y).abs(), weights)

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x)[1]
        return features
