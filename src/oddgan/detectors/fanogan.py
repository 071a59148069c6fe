"""f-AnoGAN: a Wasserstein GAN, and an encoder that is trained when it is done (2019)."""

from collections.abc import Iterator
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from oddgan import networks
from oddgan.estimator import (
    Detector,
    Networks,
    NetworkSpec,
    as_published,
    parameter,
    search_latents,
)
from oddgan.networks import condition_on_rows
from oddgan.scores import Descent, Score
from oddgan.training import Loss, batch_slices, critic_loss


class FAnoGAN(Detector):
    r"""Fast AnoGAN: a Wasserstein GAN whose search for z is replaced by an encoder.

    First a generator G: z -> x and a critic D play the game of WGAN-GP,

    .. math::
        L_D &= \mathbb{E}_z[D(G(z))] - \mathbb{E}_x[D(x)]
        + 10 \, \mathbb{E}_{\hat x}[(\lVert \nabla D(\hat x) \rVert_2 - 1)^2], \\
        L_G &= -\mathbb{E}_z[D(G(z))], \quad z \sim N(0, I),

    with x^ at a random place between a sample and a generated one. Then both are frozen, and an
    encoder E: x -> z learns to find the z of a sample: with f the last hidden layer of D, and
    n, n_f and d the lengths of x, f and z, it minimises one of

    .. math::
        L_{izi} &= \tfrac{1}{n} \lVert x - G(E(x)) \rVert^2, \\
        L_{izi_f} &= L_{izi} + \tfrac{\kappa}{n_f} \lVert f(x) - f(G(E(x))) \rVert^2, \\
        L_{ziz} &= \tfrac{1}{d} \lVert z - E(G(z)) \rVert^2.

    The anomaly score of a sample is its L_izi_f. These are means of squares, as published.

    Parameters
    ----------
    score_name : {"izi_f", "izi", "ziz"}, default="izi_f"
        What the anomaly score is:

        - "izi_f": L_izi_f of the sample, the paper's;
        - "izi": L_izi of the sample;
        - "ziz": || E(x) - E(G(E(x))) ||^2 / d, which the official code also measures.
    training : {"izi_f", "izi", "ziz"}, default="izi_f"
        What E minimises. The E of "ziz" never sees a sample, only generated ones.
    kappa : float, default=1.0
        Weight of the features in L_izi_f, in training and score.
    encoder_output : {"tanh", "linear"}, default="tanh"
        Last layer of E. With "tanh", the paper's, z stays in (-1, 1), where a third of the numbers
        in the z of G's training are not; the official code has both, and is set to "linear".
    n_critic : int, default=5
        Steps of D for one of G, each on its own batch; a training step takes that many batches. In
        the second half of training E makes one step for each batch.
    refine_steps : int, default=0
        Steps of Adam at a rate of 0.01 that move the z of a sample from E(x) on, to lower its
        score (its L_izi_f for "ziz"): AnoGAN's search from a better start. Not in the paper.
    prior_weight : float, default=0.0
        Weight of :math:`\lVert z \rVert^2 / 2d` in what these steps lower; the score has no such
        term. Not in the paper.
    **options
        See Other Parameters. Defaults here: `min_steps` 100 and `max_steps` 600, since a training
        step is `n_critic` batches. `learning_rate` is that of Adam for G and D; E has half of it,
        in RMSProp, as in the paper.

    Notes
    -----
    Networks for images are those of the official code, at 64 x 64 pixels and with the channels that
    a `width` of 128 gives, at four times the cost of the default; other sizes follow their rule
    (:mod:`oddgan.networks.architectures.residual`). Tables, which the paper does not have, get
    dense bodies. First weights are Glorot-uniform; the code has those of conv3x3 larger by a factor
    of sqrt 2.

    Each of the two halves of training has the steps that `epochs`, `min_steps` and `max_steps`
    say. :meth:`from_preset` ("paper-oct") gives the paper's settings for a million patches of
    scans of the retina, but for the steps of E: 50,000 there, as many as those of D here.

    Use it when normal samples are images of one kind, abundant, and a generator can learn all of
    them; or when AnoGAN's score is wanted without its search.

    Do not use it when training has to be short: a generator that does not reach a normal sample
    makes it look odd, and one step of G costs five of D with a second derivative each. Nor use it
    when odd samples are simpler than normal ones: they leave less to get wrong. With the digit 1 or
    9 of MNIST anomalous its AUROC was .11 or .45, no better than an autoencoder's.

    References
    ----------
    T. Schlegl, P. Seeböck, S. M. Waldstein, G. Langs, U. Schmidt-Erfurth. f-AnoGAN: Fast
    unsupervised anomaly detection with generative adversarial networks. Medical Image Analysis
    54, 2019.
    I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville. Improved Training of
    Wasserstein GANs. arXiv 1704.00028, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import FAnoGAN
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = FAnoGAN(max_steps=30, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Schlegl et al. 2019, Medical Image Analysis 54"
    scores = ("izi_f", "izi", "ziz")
    prior = "sampled"
    # A step is `n_critic` batches: so each half of training has as many batches as elsewhere.
    min_steps: int = 100
    max_steps: int | None = 600
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-oct": as_published(
            latent_dim=128, width=128, batch_size=64, learning_rate=1e-4, image_size=64, epochs=7
        ),
    }
    _betas = (0.0, 0.9)
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 128}
    _initialisation: ClassVar[dict[str, Any]] = {"table": "xavier", "image": "xavier"}
    _stages = ("_losses", "_encoder_losses")

    training: Literal["izi_f", "izi", "ziz"] = parameter(
        default="izi_f", constraint=[StrOptions(set(scores))]
    )
    kappa: float = parameter(default=1.0, constraint=[Interval(Real, 0, None, closed="left")])
    encoder_output: Literal["tanh", "linear"] = parameter(
        default="tanh", constraint=[StrOptions({"tanh", "linear"})]
    )
    n_critic: int = parameter(default=5, constraint=[Interval(Integral, 1, None, closed="left")])
    refine_steps: int = parameter(
        default=0, constraint=[Interval(Integral, 0, None, closed="left")]
    )
    prior_weight: float = parameter(
        default=0.0, constraint=[Interval(Real, 0, None, closed="left")]
    )

    @property
    def _batches_per_step(self) -> int:
        return self.n_critic

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        generator = networks.generator(shape, latent_dim, width=width, family="residual")
        encoder = networks.encoder(shape, latent_dim, width=width, family="residual")
        output = nn.Tanh() if self.encoder_output == "tanh" else nn.Identity()
        return {
            "generator": generator,
            "critic": networks.critic(shape, width=width),
            "encoder": nn.Sequential(encoder, output),
            "place": networks.Noise("uniform"),
        }

    def _optimizer(
        self, role: str, parameters: list[nn.Parameter], kind: str
    ) -> torch.optim.Optimizer:
        if role != "encoder":
            return super()._optimizer(role, parameters, kind)
        rate = self.learning_rate or self._learning_rates[kind]
        return torch.optim.RMSprop(parameters, lr=rate / 2, alpha=0.9, eps=1e-10)

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        G, D = nets["generator"], nets["critic"]
        for rows in batch_slices(len(x), self.n_critic):
            with condition_on_rows(rows):
                with torch.no_grad():
                    fake = G(z[rows])
                place = nets["place"](x[rows].flatten(1)[:, 0])
                loss = critic_loss(D, x[rows], fake, place)
            yield Loss("critic", loss, ("critic",))
        with condition_on_rows(rows):
            loss = -D(G(z[rows]))[0].mean()
        yield Loss("generator", loss, ("generator",))

    def _encoder_losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        G, D, E = nets["generator"].eval(), nets["critic"].eval(), nets["encoder"]
        for rows in batch_slices(len(x), self.n_critic):
            with condition_on_rows(rows):
                if self.training == "ziz":
                    loss = squared(z[rows], E(G(z[rows])))
                else:
                    y = G(E(x[rows]))
                    loss = squared(x[rows], y)
                    if self.training == "izi_f":
                        loss = loss + self.kappa * squared(D(x[rows])[1], D(y)[1])
            yield Loss("encoder", loss.mean(), ("encoder",))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        D, z = nets["critic"], self._embed(nets, x, score)
        y = nets["generator"](z)
        components = {"residual": squared(x, y)}
        if score == "izi_f":
            components["features"] = squared(D(x)[1], D(y)[1])
        elif score == "ziz":
            components["latent"] = squared(z, nets["encoder"](y))
        weights = {
            "izi_f": {"residual": 1.0, "features": self.kappa},
            "izi": {"residual": 1.0},
            "ziz": {"latent": 1.0},
        }
        return Score(components, (x - y).square(), weights[score])

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["critic"](x)[1]
        return features

    def _embed(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        z: Tensor = nets["encoder"](x)
        if not self.refine_steps:
            return z
        descent = Descent(self.refine_steps, (0.01,))
        known = (x, nets["critic"](x)[1])
        title = f"{type(self).__name__}: search"
        return search_latents(
            nets,
            partial(self._search_loss, score=score),
            z,
            known,
            descent,
            title=title,
            verbose=self.verbose,
        )

    def _search_loss(self, nets: Networks, z: Tensor, x: Tensor, f: Tensor, score: str) -> Tensor:
        y = nets["generator"](z)
        loss = squared(x, y) + self.prior_weight / 2 * z.square().mean(1)
        if score == "izi":
            return loss
        return loss + self.kappa * squared(f, nets["critic"](y)[1])


def squared(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean square of a - b for each sample; shape (n,)."""
    means: Tensor = (a - b).square().flatten(1).mean(1)
    return means
