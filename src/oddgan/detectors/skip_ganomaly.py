"""Skip-GANomaly: a U-net and the features of its discriminator (Akcay et al. 2019)."""

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.networks import Discriminator, Scheme
from oddgan.scores import Score, binary_cross_entropy
from oddgan.training import Loss, discriminator_loss

#: Length of the discriminator's features, `nz` in the official code.
N_FEATURES = 100


class SkipGANomaly(Detector):
    r"""A U-shaped autoencoder, judged in the sample and in its discriminator's features.

    A generator G with skips from every layer down to the layer up beside it reconstructs x as
    x^ = G(x); a discriminator D with last hidden layer f tells one from the other. With norms as
    means over their elements G and D minimise

    .. math::
        L_G &= -w_{adv} \log D(\hat x) + w_{con} \lVert x - \hat x \rVert_1
        + w_{lat} \lVert f(x) - f(\hat x) \rVert_2^2, \\
        L_D &= -\log D(x) - \log(1 - D(\hat x)),

    and the anomaly score is, with w = `weight_disc` and d, k the lengths of x and f,

    .. math::
        A(x) = (1 - w) \, \tfrac{1}{d} \lVert x - \hat x \rVert_2^2
        + w \, \tfrac{1}{k} \lVert f(x) - f(\hat x) \rVert_2^2.

    Parameters
    ----------
    score_name : {"residual_and_features", "residual", "features"}, default="residual_and_features"
        What the anomaly score is:

        - "residual_and_features": A(x) above, as in the official code;
        - "residual": its first mean alone;
        - "features": its second mean alone.
    weight_disc : float, default=0.1
        Weight w of the features in A(x), in [0, 1].
    w_adv : float, default=1
        Weight of the first term of L_G.
    w_con : float, default=50
        Weight of the second, the reconstruction of the sample.
    w_lat : float, default=1
        Weight of the third, the reconstruction of the features.
    latent_in_discriminator : bool, default=False
        Whether D also minimises the feature term, as in the official code. There it works
        against the rest of L_D, which needs features that differ.
    **options
        See Other Parameters. `latent_dim` is that of the narrowest layer, 512 for images.
        :meth:`from_preset` ("paper-cifar10") gives the official code's run.

    Notes
    -----
    Networks are those of the official code at powers of two; other sizes follow their rule
    (:mod:`oddgan.networks.architectures.unet`). No skip carries the input itself, only the layers
    after it. Tables, which the paper has none of, get a dense U-net with skips from both hidden
    layers, and no dropout in D. The code adds a noise buffer to the input of G that is never
    filled; there is none here.

    The code scores with the statistics of the test batch, scales by the least and the greatest
    score of the test set, and reports the epoch that was best on it: the paper's table has not
    been repeated without that. Here scores are as above, and the last weights count.

    Use it when normal images are full of fine detail that a narrow autoencoder blurs, so that its
    residual is large everywhere, or when a comparison needs the method: skips keep the detail.

    Do not use it when anomalies are small or faint, or on tables of few columns. Skips let G copy
    its input: it learns to reconstruct, not to reconstruct as normal, and an anomaly stands out
    only as far as copying fails on what was never seen. The longer G trains and the wider it is,
    the less that may be. Features add little there: where x^ is close to x, so is f(x^) to f(x).

    References
    ----------
    S. Akcay, A. Atapour-Abarghouei, T. P. Breckon. Skip-GANomaly: Skip Connected and
    Adversarially Trained Encoder-Decoder Anomaly Detection. arXiv 1901.08954, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import SkipGANomaly
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = SkipGANomaly(epochs=10, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Akcay et al. 2019, arXiv 1901.08954"
    scores = ("residual_and_features", "residual", "features")
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-cifar10": as_published(
            latent_dim=512, batch_size=64, learning_rate=2e-4, epochs=15, image_size=32
        ),
    }
    _autoencoder = ("generator",)
    _denoised = "generator"
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 512}
    _initialisation: ClassVar[dict[str, Scheme]] = {"table": "xavier", "image": "dcgan"}

    weight_disc: float = parameter(default=0.1, constraint=[Interval(Real, 0, 1, closed="both")])
    w_adv: float = parameter(default=1.0, constraint=[Interval(Real, 0, None, closed="left")])
    w_con: float = parameter(default=50.0, constraint=[Interval(Real, 0, None, closed="left")])
    w_lat: float = parameter(default=1.0, constraint=[Interval(Real, 0, None, closed="left")])
    latent_in_discriminator: bool = parameter(default=False, constraint=["boolean"])

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        features = networks.encoder(spec.shape, N_FEATURES, width=spec.width, family="dcgan")
        return {
            "generator": networks.u_net(spec.shape, spec.latent_dim, width=spec.width),
            "discriminator": Discriminator(features, N_FEATURES, bias=False),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        D = nets["discriminator"]
        y = nets["generator"](x)[0]
        (d_x, f_x), (d_y, f_y) = D(x), D(y)
        adversarial, latent = binary_cross_entropy(d_y, 1).mean(), mse_loss(f_y, f_x)
        loss = self.w_adv * adversarial + self.w_con * l1_loss(y, x) + self.w_lat * latent
        yield Loss("generator", loss, ("generator",))
        d_y, f_y = D(y.detach())
        loss = judged = discriminator_loss(d_x, d_y)
        if self.latent_in_discriminator:
            loss = loss + self.w_lat * mse_loss(f_y, f_x)
        yield Loss("discriminator", loss, ("discriminator",), adversary=True, judged=judged)

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        D = nets["discriminator"]
        y = self._reconstruct(nets, x, score)
        residual = (x - y).square()
        components = {
            "residual": residual.flatten(1).mean(1),
            "features": (D(x)[1] - D(y)[1]).square().mean(1),
        }
        if score == "residual_and_features":
            weights = {"residual": 1 - self.weight_disc, "features": self.weight_disc}
        else:
            weights = {score: 1.0}
        return Score(components, residual, weights)

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x)[1]
        return features

    def _reconstruct(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        y: Tensor = nets["generator"](x)[0]
        return y

    def _embed(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        z: Tensor = nets["generator"](x)[1]
        return z
