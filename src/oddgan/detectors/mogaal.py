"""MOGAAL: generative adversarial active learning with several generators (Liu et al. 2019)."""

from collections.abc import Iterator
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar, cast

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.inputs import Scaling
from oddgan.networks import Discriminator, Noise, bare, condition_on_rows
from oddgan.networks.architectures.sub_generators import SubGenerators
from oddgan.scores import Score
from oddgan.training import Loss, discriminator_loss

SLOPE = 0.1  # of the discriminator's leaky ReLU


class MOGAAL(Detector):
    r"""Multiple-objective generative adversarial active learning: generators make the outliers.

    k sub-generators G_i begin with outliers spread evenly over the data's range and draw them
    closer to the data, where they inform; a discriminator D of data and outliers becomes the
    detector:

    .. math::
        \max_D \; \tfrac12 \, \mathbb{E}_x[\log D(x)]
        + \tfrac12 \, \mathbb{E}_{i,u}[\log(1 - D(G_i(u)))], \qquad u \sim U[0, 1]^d,

    .. math::
        \min_{G_i} \; -\mathbb{E}_u[T_i \log D(G_i(u)) + (1 - T_i) \log(1 - D(G_i(u)))].

    The targets T_i are the (i / k)-quantiles of D on the data, i = 0 ... k - 1, so that each
    sub-generator goes to a part of the data of its own. With `k` = 1 the method is SO-GAAL, and
    the target is 1. The anomaly score is 1 - D(x), or in the same order, with d the logit of D,
    -d(x).

    Parameters
    ----------
    score_name : {"logit", "probability"}, default="logit"
        What the anomaly score is:

        - "logit": -d(x), which tells samples apart where D rounds to 0 or 1;
        - "probability": 1 - D(x), as published.
    k : int, default=10
        Number of sub-generators.
    rate_ratio : float, default=0.01
        Learning rate of the generators, as a multiple of `learning_rate`, which is D's.
    **options
        See Other Parameters. `width` is the number of D's hidden units; None is 64, or twice the
        number of inputs if that is more, as a layer of no more units than inputs cannot close
        around the data. `latent_dim` has no effect. `learning_rate` is that of stochastic
        gradient descent with momentum 0.9, 0.01 by default. The generators learn in the first of
        three stages, and D continues alone through the other two; `epochs`, `min_steps` and
        `max_steps` count for each stage, so `epochs` is the released code's `stop_epochs`, 20
        by default as there. Defaults here: `batch_size` 500, `min_steps` 200, as many as the
        paper's smallest set has, and `scaling` "minmax", as its data are scaled.

    Notes
    -----
    This is the unsupervised one of the detectors: the data may hold anomalies. They are few, so D
    cannot afford to call the places where they lie normal. Ask for the scores of the very rows
    that you fit; the threshold and the p-values, made for normal training rows, then count
    the anomalies among the held-out rows as normal.

    Networks are the released code's: D one hidden layer, each G_i two dense layers of d units
    that begin as the identity; images are flattened. Differences, each with its reason: D's
    layer is a leaky ReLU, as D is constant where all ReLUs are off, and has the units said
    above in place of the square root of the number of rows; the last layer of G_i is linear, as a
    ReLU could make no negative value; u = 0 and 1 stand for the smallest and the largest value of
    a column in the batch, so that data need not lie in [0, 1]; the quantiles are those of the
    batch, not of all data after every batch; every sub-generator makes at least one sample of a
    batch, however small. As there, G_i makes k - i parts of the outliers that D sees, and is
    trained on a full batch; the learning rates do not decay by 1e-6 a step.

    A `condition` is given to D alone: what is odd depends on it, what the generators try does not.

    `explain` gives | (x_j - m_j) dd / dx_j | with m the mean of the training rows: what column j
    adds to the logit by its distance from the mean, if D is linear around x, without the sign. As
    no normal reconstruction is known, the mean is also the expected value, whatever the
    other columns say.

    Use it when there are no labels and no clean set, columns are numbers, and you want the odd
    rows of one table.

    How long D is trained decides: on satimage-2 of ADBench, trained on the rows that were scored, k
    = 1 had an AUROC of 1.00 after 60 steps a stage and of .00 after 200, and with scaling
    "standard" .09 and .20; k = 10 kept 1.00 with "minmax". The uniform outliers of the beginning
    have no correlations, and a D that has learned to recognise data by theirs takes a far group
    that has them for data. No label-free sign of it is known.

    Do not use it when you have clean normal rows (every other detector here makes more of them),
    when anomalies come in a tight group (D takes it for data, even far away), when they may lie
    outside the range of the training rows (no generator goes there, and D is only
    extrapolated), or for large images: G_i has 2 d^2 weights.

    References
    ----------
    Y. Liu, Z. Li, C. Zhou, Y. Jiang, J. Sun, M. Wang, X. He. Generative Adversarial Active
    Learning for Unsupervised Outlier Detection. IEEE TKDE 32, 2020, arXiv 1809.10816.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import MOGAAL
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 4))
    >>> X[:10] = rng.uniform(-9, 9, size=(10, 4))
    >>> scores = MOGAAL(random_state=0).fit(X).anomaly_score(X)
    >>> bool((scores[:10] > np.quantile(scores, 0.9)).mean() >= 0.9)
    True
    """

    reference = "Liu et al. 2019, IEEE TKDE 32, arXiv 1809.10816"
    scores = ("logit", "probability")
    unavailable: ClassVar[dict[str, str]] = {
        "reconstruct": "its generators make outliers, not normal reconstructions",
        "embed": "it has no latent space",
    }
    scaling: Scaling = "minmax"
    batch_size: int = 500
    epochs: int = 20
    min_steps: int = 200
    presets: ClassVar[dict[str, Any]] = {
        "paper-annthyroid": as_published(batch_size=500, epochs=22),
        "paper-wdbc": as_published(batch_size=500, epochs=200),
    }
    _learning_rates: ClassVar[dict[str, float]] = {"table": 0.01, "image": 0.01}
    _initialisation: ClassVar[dict[str, Any]] = {"table": "xavier", "image": "xavier"}
    _stages = ("_losses", "_discriminate", "_discriminate")

    k: int = parameter(default=10, constraint=[Interval(Integral, 1, None, closed="left")])
    rate_ratio: float = parameter(
        default=0.01, constraint=[Interval(Real, 0, None, closed="neither")]
    )

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        d = prod(spec.shape)
        width = spec.width or max(64, 2 * d)
        trunk = nn.Sequential(nn.Flatten(), nn.Linear(d, width), nn.LeakyReLU(SLOPE))
        return {
            "generators": SubGenerators(self.k, d),
            "discriminator": Discriminator(trunk, width),
            "noise": Noise("uniform"),
            "mean": Mean(spec.shape),
        }

    def _optimizer(
        self, role: str, parameters: list[nn.Parameter], kind: str
    ) -> torch.optim.Optimizer:
        rate = self.learning_rate or self._learning_rates[kind]
        if role == "generators":
            rate *= self.rate_ratio
        return torch.optim.SGD(parameters, lr=rate, momentum=0.9, fused=True)

    def _discriminate(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        D, x = nets["discriminator"], x.flatten(1)
        n = max(len(x), self.k)
        parts = shares(n, self.k)
        u = nets["noise"](x[:1].expand(self.k, parts[0], -1))
        made = potential_outliers(nets["generators"], u, x).detach()
        outliers = torch.cat([some[:part] for some, part in zip(made, parts, strict=True)])
        with condition_on_rows(torch.arange(n, device=x.device) % len(x)):
            logit_outliers = D(outliers)[0]
        # A D without a doubt is the aim here, and no collapse.
        loss = discriminator_loss(D(x)[0], logit_outliers) / 2
        yield Loss("discriminator", loss, ("discriminator",))

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        yield from self._discriminate(nets, x, z)
        D, x = nets["discriminator"], x.flatten(1)
        goals = targets(D(x)[0].detach(), self.k)
        u = nets["noise"](x).expand(self.k, -1, -1)
        outliers = potential_outliers(nets["generators"], u, x).flatten(0, 1)
        with condition_on_rows(torch.arange(len(outliers), device=x.device) % len(x)):
            logits = D(outliers)[0].view(self.k, -1)
        yield Loss("generators", generator_loss(logits, goals), ("generators",))

    def _finish(self, nets: Networks, chunks: Iterator[Tensor]) -> None:
        cast("Mean", nets["mean"]).fill(chunks)

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        D = cast("Discriminator", nets["discriminator"])
        logit, features = D(x)
        slopes = torch.where(features > 0, 1.0, SLOPE)
        gradient = (slopes * weight(D.logit)) @ weight(cast("nn.Sequential", D.trunk)[1])
        components = {"logit": -logit, "probability": torch.sigmoid(-logit)}
        away = x - nets["mean"](x)
        return Score(components, (away * gradient.view(x.shape)).abs(), {score: 1.0})

    def _explain(self, nets: Networks, x: Tensor, score: str) -> tuple[Tensor, Tensor | None]:
        return self._score(nets, x, score).residual, nets["mean"](x) if x.ndim == 2 else None

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        features: Tensor = nets["discriminator"](x)[1]
        return features


class Mean(nn.Module):
    """The mean of the training samples, of this shape, for each of n samples."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.value: Tensor
        self.register_buffer("value", torch.empty(shape))

    def draw(self, generator: torch.Generator) -> None:
        """Begin at 0."""
        self.value.zero_()

    def fill(self, chunks: Iterator[Tensor]) -> None:
        """Take the mean of all samples."""
        total, n = torch.zeros_like(self.value, dtype=torch.float64), 0
        for x in chunks:
            total, n = total + x.double().sum(0), n + len(x)
        self.value.copy_(total / n)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean in the shape of `x`."""
        return self.value.expand_as(x)


def weight(layer: nn.Module) -> Tensor:
    """Return the weights of a dense layer that may have a context."""
    return cast("nn.Linear", bare(layer)).weight


def shares(n: int, k: int) -> list[int]:
    """Return how many of `n` >= k outliers each sub-generator makes.

    Each makes 1, and of the rest k - i parts; what does not divide goes to the first ones.
    """
    parts = k * (k + 1) // 2
    sizes = [1 + (n - k) * (k - i) // parts for i in range(k)]
    left = n - sum(sizes)
    return [share + (i < left) for i, share in enumerate(sizes)]


def targets(logit: Tensor, k: int) -> Tensor:
    """Return T_i, the (i / k)-quantiles of D = sigmoid(`logit`), or 1 if k is 1; shape (k,)."""
    if k == 1:
        return torch.ones_like(logit[:1])
    at = torch.arange(k, device=logit.device, dtype=logit.dtype) / k
    return torch.quantile(torch.sigmoid(logit), at)


def generator_loss(logits: Tensor, goals: Tensor) -> Tensor:
    """Cross-entropy of D(G_i(u)) against T_i: mean over u, and sum over i; `logits` (k, n)."""
    goals = goals[:, None].expand_as(logits)
    return F.binary_cross_entropy_with_logits(logits, goals, reduction="none").mean(1).sum()


def potential_outliers(generators: nn.Module, u: Tensor, x: Tensor) -> Tensor:
    """Return G_i(u_i), scaled from [0, 1] to the range of each column of `x`; shape (k, n, d)."""
    low, high = x.aminmax(dim=0)
    outliers: Tensor = low + (high - low) * generators(u)
    return outliers
