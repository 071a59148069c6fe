"""AnoGAN: a GAN, and a search for the latent of every new sample (Schlegl et al. 2017)."""

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
    nearest,
    parameter,
    search_latents,
    without_gradients,
)
from oddgan.networks import LatentDraws
from oddgan.scores import Descent, Score, binary_cross_entropy, distance
from oddgan.training import PRECISIONS, Loss, discriminator_loss

#: Shares of the steps after which the EGBAD authors' code lowers the learning rate of the search
#: to a tenth and to a twentieth: at 300 and 400 of 500 (KDD99), at 200 and 300 (MNIST).
_DROPS = {"table": (0.6, 0.8), "image": (0.4, 0.6)}


class AnoGAN(Detector):
    r"""Anomaly detection with a GAN and a latent search.

    A generator G: z -> x and a discriminator D, on normal samples only, play

    .. math::
        \min_G \max_D \; \mathbb{E}_x[\log D(x)] + \mathbb{E}_{z}[\log(1 - D(G(z)))],
        \quad z \sim N(0, I),

    G in the non-saturating form. For a query x the weights are fixed, and gradient descent from
    a random start looks for the latent of the nearest normal sample: with w = `weight_disc`,

    .. math::
        \mathcal{L}(z) = (1 - w) \, \lVert x - G(z) \rVert_1 + w \, L_D(z),
        \qquad A(x) = \mathcal{L}(z_\Gamma) \text{ after } \Gamma = \texttt{n\_steps} \text{ steps}.

    Norms are sums over pixels or columns, as published.

    Parameters
    ----------
    score_name : {"feature_matching", "sigma", "discriminator", "squared"}
        The discriminator's part L_D of search and score, with d the logit of D and f its last
        hidden layer:

        - "feature_matching": || f(x) - f(G(z)) ||_1, the paper's AnoGAN;
        - "sigma": -log D(G(z)), the paper's GAN_R, after Yeh et al.;
        - "discriminator": no search; A(x) = -d(x), the paper's P_D. `explain` then gives the
          magnitude of the gradient of d, for tables times that of x - G(z); for this, and for
          `reconstruct` and `embed`, it searches with f;
        - "squared": searched as for "feature_matching", but A(x) = || x - G(z) ||_2^2.
          Not in the paper.
    weight_disc : float, default=0.1
        Weight w of L_D, in [0, 1]; lambda in the paper.
    n_steps : int, default=500
        Steps of the search, Gamma in the paper.
    n_restarts : int, default=1
        Searches of each sample, from starts that are drawn once, by `fit`. The parts of the
        score are their means; `embed` and `reconstruct` take the search of lowest loss. The paper
        has one start, and by it alone the AUROC moves by up to .1.
    n_candidates : int, default=1
        Draws of z, made once by `fit`, for each search. It starts from the one whose G(z) is
        nearest to the sample, by the residual; with 1, as published, from the only one there is.
    prior_weight : float, default=0.0
        Weight of :math:`\lVert z \rVert^2 / 2` in the loss of the search, not in the score; not
        in the paper. Without it a long search leaves the latents that G has learned, and
        reconstructs anomalies too. The residual is a sum: 2 was found to serve images of 28 x 28
        pixels, larger ones need more and a table less.
    search_learning_rate : float, default=0.01
        Learning rate of Adam in the search.
    search_schedule : {"step", "constant"}, default="step"
        "step" lowers that rate to a tenth and to a twentieth: for tables after 60 and 80 % of
        `n_steps`, for images after 40 and 60 %, as the EGBAD authors' AnoGAN does.
    search_tolerance : float, default=0.01
        A sample's search ends early when its lowest loss fell by less than this share in 20
        steps; 0 makes all steps, as published.
    search_precision : {"32-true", "bf16-mixed"}, default="32-true"
        Precision of the search; scores are computed from its result in 32 bit.
    **options
        See Other Parameters. For images `latent_dim` is 100.

    Notes
    -----
    Networks are the DCGAN's for images (:mod:`oddgan.networks.architectures.dcgan`; the paper's is
    one of half the width), with its learning rate, and those of the EGBAD authors' AnoGAN for
    tables. There is no official code. The EGBAD authors' starts the latents of all samples anew for
    each batch; the ALAD authors' has the weights the other way round, 0.9 on L_D:
    `weight_disc=0.9`.

    All samples of a batch are searched together, each with Adam moments of its own, and every
    sample from the same starts: a score depends on nothing but its sample. Only z is moved.

    Use it when the method that started the field is to be compared with, or when a GAN without an
    encoder is given and a picture of the nearest normal sample is worth the wait.

    Do not use it when many samples are to be scored, or soon: each takes up to 500 passes forward
    and back, hundreds of times what f-AnoGAN or EGBAD need, and is seldom judged better for it.
    Nor when the generator has lost modes: normal samples that it cannot make are called odd.

    References
    ----------
    T. Schlegl, P. Seeboeck, S. M. Waldstein, U. Schmidt-Erfurth, G. Langs. Unsupervised Anomaly
    Detection with Generative Adversarial Networks to Guide Marker Discovery. IPMI 2017, arXiv
    1703.05921.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import AnoGAN
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = AnoGAN(epochs=10, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Schlegl et al. 2017, arXiv 1703.05921"
    scores = ("feature_matching", "sigma", "discriminator", "squared")
    prior = "sampled"
    _searches = True
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # 64 x 64 patches of retinal images.
        "paper-oct": as_published(epochs=20, image_size=64, search_tolerance=0),
        # The EGBAD authors' AnoGAN, whose numbers are quoted most.
        "egbad-kdd": as_published(
            latent_dim=32,
            batch_size=50,
            learning_rate=1e-5,
            ema_decay=0.9999,
            epochs=50,
            search_tolerance=0,
        ),
    }
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 100}
    _initialisation: ClassVar[dict[str, networks.Scheme]] = {"table": "xavier", "image": "dcgan"}

    weight_disc: float = parameter(default=0.1, constraint=[Interval(Real, 0, 1, closed="both")])
    n_steps: int = parameter(default=500, constraint=[Interval(Integral, 1, None, closed="left")])
    n_restarts: int = parameter(default=1, constraint=[Interval(Integral, 1, None, closed="left")])
    n_candidates: int = parameter(
        default=1, constraint=[Interval(Integral, 1, None, closed="left")]
    )
    prior_weight: float = parameter(
        default=0.0, constraint=[Interval(Real, 0, None, closed="left")]
    )
    search_learning_rate: float = parameter(
        default=0.01, constraint=[Interval(Real, 0, None, closed="neither")]
    )
    search_schedule: Literal["step", "constant"] = parameter(
        default="step", constraint=[StrOptions({"step", "constant"})]
    )
    search_tolerance: float = parameter(
        default=0.01, constraint=[Interval(Real, 0, 1, closed="left")]
    )
    search_precision: Literal["32-true", "bf16-mixed"] = parameter(
        default="32-true", constraint=[StrOptions(set(PRECISIONS))]
    )

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        return {
            "generator": networks.generator(shape, latent_dim, width=width, family="dcgan"),
            "discriminator": networks.discriminator(shape, width=width, family="dcgan"),
            "starts": LatentDraws(self.n_restarts * self.n_candidates, latent_dim),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        G, D = nets["generator"], nets["discriminator"]
        y = G(z)
        loss = discriminator_loss(D(x)[0], D(y.detach())[0])
        yield Loss("discriminator", loss, ("discriminator",), adversary=True)
        yield Loss("generator", binary_cross_entropy(D(y)[0], 1).mean(), ("generator",))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        d, f = nets["discriminator"](x)
        if score == "discriminator":
            return Score({"discriminator": -d}, sensitivity(nets, x))
        return self._compare(nets, x, f, self._search(nets, x, f, score), score)

    def _compare(self, nets: Networks, x: Tensor, f: Tensor, latents: Tensor, score: str) -> Score:
        """Return the score that compares samples with G(z) of the latents that were found."""
        if score == "squared":
            squared = torch.stack([(x - nets["generator"](z)).square() for z in latents]).mean(0)
            return Score({"squared": squared.flatten(1).sum(1)}, squared)
        terms = [self._terms(nets, z, x, f, score) for z in latents]
        residual = torch.stack([(x - y).abs() for y, _, _ in terms]).mean(0)
        components = {
            "residual": torch.stack([l_r for _, l_r, _ in terms]).mean(0),
            score: torch.stack([l_d for _, _, l_d in terms]).mean(0),
        }
        weights = {"residual": 1 - self.weight_disc, score: self.weight_disc}
        return Score(components, residual, weights)

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x)[1]
        return features

    def _explain(self, nets: Networks, x: Tensor, score: str) -> tuple[Tensor, Tensor | None]:
        if x.ndim > 2:
            return self._score(nets, x, score).residual, None
        f = nets["discriminator"](x)[1]
        latents = self._search(nets, x, f, score)
        y = nets["generator"](self._best(nets, x, f, latents, score))
        if score == "discriminator":
            return sensitivity(nets, x) * (x - y).abs(), y
        return self._compare(nets, x, f, latents, score).residual, y

    def _embed(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        f = nets["discriminator"](x)[1]
        return self._best(nets, x, f, self._search(nets, x, f, score), score)

    def _best(self, nets: Networks, x: Tensor, f: Tensor, latents: Tensor, score: str) -> Tensor:
        losses = torch.stack([self._search_loss(nets, z, x, f, score) for z in latents])
        return latents[losses.argmin(0), torch.arange(len(x), device=x.device)]

    def _terms(
        self, nets: Networks, z: Tensor, x: Tensor, f: Tensor, score: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return G(z), the residual and L_D."""
        y = nets["generator"](z)
        logit, features = nets["discriminator"](y)
        sigma = score == "sigma"
        return y, distance(x, y), binary_cross_entropy(logit, 1) if sigma else distance(f, features)

    def _search_loss(self, nets: Networks, z: Tensor, x: Tensor, f: Tensor, score: str) -> Tensor:
        _, l_r, l_d = self._terms(nets, z, x, f, score)
        loss = (1 - self.weight_disc) * l_r + self.weight_disc * l_d
        return loss + self.prior_weight / 2 * z.square().sum(1)

    def _search(self, nets: Networks, x: Tensor, f: Tensor, score: str) -> Tensor:
        """Return the latents that were found, (n_restarts, n, latent_dim)."""
        drawn = nets["starts"].get_buffer("noise")
        if self.n_candidates > 1:
            groups = drawn.chunk(self.n_restarts)
            starts = torch.stack([nearest(nets["generator"], group, x) for group in groups])
        else:
            starts = drawn[:, None].expand(-1, len(x), -1)
        rates = [(0, self.search_learning_rate)]
        if self.search_schedule == "step":
            first, second = _DROPS["table" if x.ndim == 2 else "image"]
            rates.append((round(first * self.n_steps), self.search_learning_rate / 10))
            rates.append((round(second * self.n_steps), self.search_learning_rate / 20))
        return search_latents(
            nets,
            partial(self._search_loss, score=score),
            starts,
            (x, f),
            Descent(self.n_steps, (rates,), tolerance=self.search_tolerance),
            title=f"{type(self).__name__}: search",
            verbose=self.verbose,
            precision=self.search_precision,
        )


def sensitivity(nets: Networks, x: Tensor) -> Tensor:
    """Magnitude of the gradient of d(x), in the shape of x."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        x = x.clone().requires_grad_()
        logit = without_gradients({"": nets["discriminator"]})[""](x)[0]
        return torch.autograd.grad(logit.sum(), x)[0].abs()
