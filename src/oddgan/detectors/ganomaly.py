"""GANomaly: an autoencoder whose output is encoded a second time (Akcay et al. 2018)."""

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar, Literal

from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.networks import Scheme
from oddgan.scores import Score, binary_cross_entropy, distance
from oddgan.training import Loss, discriminator_loss


class GANomaly(Detector):
    r"""Encoder, decoder, encoder: what was lost on the way through the sample is the score.

    An encoder and a decoder give z and the reconstruction of x, a second encoder E, with weights
    of its own, the latent of that reconstruction:

    .. math::
        z = G_E(x), \qquad \hat x = G_D(z), \qquad \hat z = E(\hat x).

    All three minimise, with f the last hidden layer of a discriminator D and all norms as means
    over their elements,

    .. math::
        w_{adv} \lVert f(x) - f(\hat x) \rVert_2^2
        + w_{con} \lVert x - \hat x \rVert_1 + w_{enc} \lVert z - \hat z \rVert_2^2,

    and D minimises half of -log D(x) - log(1 - D(x^)). The anomaly score, by default, is

    .. math::
        A(x) = \lVert z - \hat z \rVert_1.

    Parameters
    ----------
    score_name : {"l1", "l2"}, default="l1"
        What the anomaly score is. A part `residual`, the sum of |x - x^|, is reported but not
        counted (see `score_components`).

        - "l1": the sum of |z - z^| over the latent dimensions, the paper's equation;
        - "l2": the mean of (z - z^)^2, what the official code computes.
    adversarial : {"feature_matching", "cross_entropy"}, default="feature_matching"
        The first term of the loss: the distance of features above, or -log D(x^), as in the
        official code's first version.
    w_adv : float, default=1
        Weight of the first term.
    w_con : float, default=50
        Weight of the second, the reconstruction of the sample.
    w_enc : float, default=1
        Weight of the third, the reconstruction of the latent vector.
    **options
        See Other Parameters. `latent_dim` is 100 for images. :meth:`from_preset` ("paper-mnist",
        "paper-cifar10") gives the official code's run: 15 epochs at 32 x 32 pixels.

    Notes
    -----
    Networks are those of the official code at 32 x 32 and 64 x 64 pixels; other sizes follow
    their rule (:mod:`oddgan.networks`), and tables, which the paper has none of, get dense bodies.
    The feature term is the code's, each sample's distance from its own reconstruction. The paper
    prints E || f(x) - E[f(G(x))] ||_2, an expectation within an expectation; batch means would
    leave single samples free. As in the code D is updated last, on the reconstructions that the
    others were updated on.

    Left out of the code on purpose: a D whose loss falls below 1e-5 is started anew there, while
    here a lasting collapse ends the run with a TrainingError; scores are computed there with the
    statistics of the test batch, scaled by the least and the greatest of the test set, and
    reported for the epoch that was best on it.

    `explain` is of the residual and not of the score: its map can be calm where the score is high.

    Use it when anomalies look wrong as a whole rather than in a few pixels, or when a comparison
    needs the method: a latent distance is not swamped by residuals that add up over all pixels.

    Do not use it when a latent vector is so short that every sample has a good one: an anomaly
    that is reconstructed as some normal sample has a small distance z - z^, however different it
    looks. Latent vectors also have no scale of their own, so scores of two runs cannot be
    compared, and odd samples simpler than normal ones, such as the digit 1, score low.

    References
    ----------
    S. Akcay, A. Atapour-Abarghouei, T. P. Breckon. GANomaly: Semi-Supervised Anomaly Detection
    via Adversarial Training. arXiv 1805.06725, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import GANomaly
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = GANomaly(epochs=10, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Akcay et al. 2018, arXiv 1805.06725"
    scores = ("l1", "l2")
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        name: as_published(
            latent_dim=100, batch_size=64, learning_rate=2e-4, epochs=15, image_size=32
        )
        for name in ("paper-mnist", "paper-cifar10")
    }
    _autoencoder = ("encoder", "generator")
    _denoised = "encoder"
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 100}
    _initialisation: ClassVar[dict[str, Scheme]] = {"table": "xavier", "image": "dcgan"}

    adversarial: Literal["feature_matching", "cross_entropy"] = parameter(
        default="feature_matching", constraint=[StrOptions({"feature_matching", "cross_entropy"})]
    )
    w_adv: float = parameter(default=1.0, constraint=[Interval(Real, 0, None, closed="left")])
    w_con: float = parameter(default=50.0, constraint=[Interval(Real, 0, None, closed="left")])
    w_enc: float = parameter(default=1.0, constraint=[Interval(Real, 0, None, closed="left")])

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        return {
            "encoder": networks.encoder(shape, latent_dim, width=width, family="dcgan"),
            "generator": networks.generator(shape, latent_dim, width=width, family="dcgan"),
            "second_encoder": networks.encoder(shape, latent_dim, width=width, family="dcgan"),
            "discriminator": networks.discriminator(shape, width=width, family="dcgan"),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        D = nets["discriminator"]
        code = nets["encoder"](x)
        y = nets["generator"](code)
        (d_x, f_x), (d_y, f_y) = D(x), D(y)
        if self.adversarial == "feature_matching":
            adversarial = mse_loss(f_y, f_x)
        else:
            adversarial = binary_cross_entropy(d_y, 1).mean()
        encoding = mse_loss(nets["second_encoder"](y), code)
        loss = self.w_adv * adversarial + self.w_con * l1_loss(y, x) + self.w_enc * encoding
        yield Loss("generator", loss, ("encoder", "generator", "second_encoder"))
        judged = discriminator_loss(d_x, D(y.detach())[0])
        yield Loss("discriminator", judged / 2, ("discriminator",), adversary=True, judged=judged)

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        z = nets["encoder"](x)
        y = nets["generator"](z)
        z_again = nets["second_encoder"](y)
        components = {
            "l1": distance(z, z_again),
            "l2": (z - z_again).square().mean(1),
            "residual": distance(x, y),
        }
        return Score(components, (x - y).abs(), {score: 1.0})

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x)[1]
        return features
