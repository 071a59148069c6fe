"""ADGAN: search for the latent and the generator's weights of each sample (Deecke et al. 2018)."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, parameter, search
from oddgan.networks import LatentDraws, condition_on_rows, exclude_from_condition, generate
from oddgan.scores import Descent, Score
from oddgan.training import Loss, batch_slices

#: Updates of the critic for each of the generator, and the bound of its weights (Arjovsky et al.).
_N_CRITIC, _CLIP = 5, 0.01


class ADGAN(Detector):
    r"""Anomaly detection with a GAN whose generator adapts to every sample.

    A generator g: z -> x and a critic d are trained on normal samples, by RMSprop and with five
    updates of d for each of g,

    .. math::
        \min_\theta \max_{d} \; \mathbb{E}_x[d(x)] - \mathbb{E}_{z}[d(g_\theta(z))],
        \quad z \sim N(0, I),

    with the weights of d in [-0.01, 0.01]. A query x gets `n_starts` draws z_j, each with a copy
    theta_j of the generator's weights; `n_steps` steps of gradient descent on both minimise

    .. math::
        \ell_j = \lVert x - g_{\theta_j}(z_j) \rVert_2^2, \qquad A(x) = \frac{1}{n} \sum_j \ell_j.

    The norm is a sum over pixels or columns. d takes no part in the score.

    Parameters
    ----------
    score_name : {"reconstruction"}, default="reconstruction"
        The mean of the losses that the searches end with.
    n_starts : int, default=4
        Searches of each sample, n, from starts that are drawn once, by `fit`.
    n_steps : int, default=5
        Steps of each search, k in the paper.
    search_learning_rate : float, default=0.25
        Learning rate of z in the search, by Adam.
    prior_weight : float, default=0.0
        Weight of :math:`\lVert z \rVert^2 / 2` in the loss of the search, not in the score; not
        in the paper. It keeps z among the latents that g has learned.
    weights_learning_rate : float, default=5e-5
        Learning rate of the generator's weights there; 0 searches for z alone.
    **options
        See Other Parameters. For images `latent_dim` is 256.

    Notes
    -----
    Networks are the DCGAN's for images (:mod:`oddgan.networks.architectures.dcgan`), those of the
    EGBAD authors' AnoGAN for tables. There is no official code, and the paper's text was not at
    hand: its Wasserstein objective, latent size, rates and k = 5 are from memory. It starts more
    often (64 times, from memory) than the default here, which is small because of what a search
    costs. A generator trains with the default rates; the Wasserstein GAN's own, 5e-5, takes far
    longer.

    All samples of a batch are searched together, each with weights and Adam moments of its own.
    The generator itself is never written to, so nothing is restored and no sample feels another.

    Use it when samples are few and each deserves many passes, and when a generator alone leaves
    even normal samples badly reconstructed: adapting its weights makes up for what it has missed.

    Do not use it when many samples are to be scored: each search holds several copies of the
    generator, so memory and time grow with its size as they do with no other method here. Nor with
    many steps or a large `weights_learning_rate`: a generator that may change enough reconstructs
    anomalies too.

    References
    ----------
    L. Deecke, R. Vandermeulen, L. Ruff, S. Mandt, M. Kloft. Image Anomaly Detection with Generative
    Adversarial Networks. ECML-PKDD 2018.
    M. Arjovsky, S. Chintala, L. Bottou. Wasserstein GAN. arXiv 1701.07875, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import ADGAN
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = ADGAN(max_steps=150, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Deecke et al. 2018, ECML-PKDD"
    scores = ("reconstruction",)
    prior = "sampled"
    _searches = True
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 256}
    _initialisation: ClassVar[dict[str, networks.Scheme]] = {"table": "xavier", "image": "dcgan"}

    n_starts: int = parameter(default=4, constraint=[Interval(Integral, 1, None, closed="left")])
    n_steps: int = parameter(default=5, constraint=[Interval(Integral, 1, None, closed="left")])
    search_learning_rate: float = parameter(
        default=0.25, constraint=[Interval(Real, 0, None, closed="neither")]
    )
    prior_weight: float = parameter(
        default=0.0, constraint=[Interval(Real, 0, None, closed="left")]
    )
    weights_learning_rate: float = parameter(
        default=5e-5, constraint=[Interval(Real, 0, None, closed="left")]
    )

    @property
    def _batches_per_step(self) -> int:
        return _N_CRITIC

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        critic = networks.discriminator(shape, width=width, family="dcgan")
        critic.logit = nn.Linear(critic.logit.in_features, 1, bias=False)  # a bias of d cancels
        exclude_from_condition(critic.logit)
        return {
            "generator": networks.generator(shape, latent_dim, width=width, family="dcgan"),
            "discriminator": critic,
            "starts": LatentDraws(self.n_starts, latent_dim),
        }

    def _optimizer(
        self, role: str, parameters: list[nn.Parameter], kind: str
    ) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(parameters, lr=self.learning_rate or self._learning_rates[kind])

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        G, D = nets["generator"], nets["discriminator"]
        for rows in batch_slices(len(x), _N_CRITIC):
            with condition_on_rows(rows):
                with torch.no_grad():
                    y = G(z[rows])
                loss = D(y)[0].mean() - D(x[rows])[0].mean()
            yield Loss("critic", loss, ("discriminator",))
            clip(D)
        with condition_on_rows(rows):
            loss = -D(G(z[rows]))[0].mean()
        yield Loss("generator", loss, ("generator",))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        residual = (x - self._search(nets, x)[1]).square()
        loss = residual.flatten(2).sum(2)
        return Score({"reconstruction": loss.mean(0)}, residual.mean(0))

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x)[1]
        return features

    def _explain(self, nets: Networks, x: Tensor, score: str) -> tuple[Tensor, Tensor | None]:
        latents_and_samples = self._search(nets, x)
        residual = (x - latents_and_samples[1]).square().mean(0)
        return residual, best(x, *latents_and_samples)[1] if x.ndim == 2 else None

    def _embed(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        return best(x, *self._search(nets, x))[0]

    def _reconstruct(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        return best(x, *self._search(nets, x))[1]

    def _search(self, nets: Networks, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z_j and g_j(z_j): (n_starts, n, latent_dim) and (n_starts, *x.shape)."""
        G, noise = nets["generator"], nets["starts"].get_buffer("noise")
        shared = [p.detach() for p in G.parameters()]
        n_rows = len(noise) * len(x)

        def loss(variables: tuple[Tensor, ...], sample: Tensor) -> Tensor:
            residual = (x[sample] - generate(G, *variables)).square().flatten(1).sum(1)
            return residual + self.prior_weight / 2 * variables[0].square().sum(1)

        result = search(
            loss,
            (
                noise[:, None].expand(-1, len(x), -1).flatten(0, 1),
                *(p.expand(n_rows, *p.shape) for p in shared),
            ),
            len(x),
            Descent(
                self.n_steps,
                (self.search_learning_rate, *[self.weights_learning_rate] * len(shared)),
                multiple=8,  # a row's weights are its own, and fill the memory soon
            ),
            keep=lambda variables, _: (variables[0], generate(G, *variables)),
            title=f"{type(self).__name__}: search",
            verbose=self.verbose,
        )
        z, y = result.variables
        return z.reshape(len(noise), len(x), -1), y.reshape(len(noise), *x.shape)


def clip(critic: nn.Module) -> None:
    """Bring all weights of the critic back into [-0.01, 0.01]."""
    with torch.no_grad():
        for p in critic.parameters():
            p.copy_(p.clamp(-_CLIP, _CLIP))


def best(x: Tensor, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return z and y of the search that came nearest to each sample."""
    nearest = (x - y).square().flatten(2).sum(2).argmin(0)
    sample = torch.arange(len(x), device=x.device)
    return z[nearest, sample], y[nearest, sample]
