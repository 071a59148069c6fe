"""DAGMM: the deep autoencoding Gaussian mixture model (Zong et al. 2018)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.inputs import Scaling
from oddgan.networks import Dropout
from oddgan.scores import Mixture, Score, energy, estimate_mixture
from oddgan.training import Loss

#: Smallest norm that a difference is measured relative to: the mean of a scaled table is 0.
SMALLEST_NORM = 1e-3


class DAGMM(Detector):
    r"""Deep autoencoding Gaussian mixture model: how likely are a sample's code and error.

    An autoencoder x' = G(E(x)) gives each sample the features

    .. math::
        z = \Bigl[ E(x), \; \frac{\lVert x - x' \rVert_2}{\lVert x \rVert_2}, \;
        \frac{x \cdot x'}{\lVert x \rVert_2 \lVert x' \rVert_2} \Bigr],

    an estimator the memberships \gamma(z) in K Gaussians, and these, over a batch, the mixture's
    weights \phi, means \mu and covariances \Sigma. All three networks minimise

    .. math::
        \frac{1}{n} \sum_i \lVert x_i - x_i' \rVert_2^2
        + \frac{\lambda_1}{n} \sum_i \mathcal{E}(z_i)
        + \lambda_2 \sum_{k,j} \frac{1}{\Sigma_{k,jj}}, \qquad
        \mathcal{E}(z) = -\log \sum_k \phi_k \, N(z; \mu_k, \Sigma_k).

    The anomaly score is the energy \mathcal{E}(z), with the mixture of all training rows.

    Parameters
    ----------
    score_name : {"energy", "residual"}, default="energy"
        What the anomaly score is:

        - "energy": \mathcal{E}(z), as published;
        - "residual": || x - x' ||_2^2, the autoencoder alone.
    n_mixtures : int, default=4
        Number K of Gaussians.
    weight_energy : float, default=0.1
        Weight \lambda_1 of the energy.
    weight_covariance : float, default=0.005
        Weight \lambda_2 of the penalty on small variances.
    hidden : sequence of int or None, default=None
        Units of the encoder's hidden layers, for tables; None is `width`, a half and a sixth of
        it.
    **options
        See Other Parameters. `latent_dim` is the size of E(x), 1 by default for tables (the
        paper has 2 for Arrhythmia) and 8 for images; `width` is 60 by default for tables. The
        paper trains at a `learning_rate` of 1e-4 with a `batch_size` of 1,024 for very long;
        :meth:`from_preset` ("paper-kdd", "paper-thyroid", "paper-arrhythmia") gives its
        settings. Defaults here: `batch_size` 256, as 64 rows are few for K covariances;
        `min_steps` 1000, as the objective falls for long; `scaling` "minmax", see Notes.

    Notes
    -----
    Networks for tables are the paper's for KDD99: tanh layers of 60, 30 and 10 units around the
    code, and an estimator of 10 tanh units with dropout 0.5. The paper has none for images; here
    they are convolutional (:mod:`oddgan.networks`).

    The batches' mixtures serve training only. When it is over, one pass over the training rows,
    without dropout, gives the mixture that all samples are scored with, in double precision.
    There is no official code; those in use differ in the mixture that new samples are scored
    with (some take that of the last batch, or even of the test samples), add a constant to the
    covariances as is done here, and compute the energy without stabilising the logarithm.

    Relative distance and cosine are seen from x = 0, which has to lie outside the data: with
    "standard" scaling it is their mean, and rows near it have huge relative distances though they
    are as normal as can be. Norms below 0.001 count as 0.001.

    Use it when rows have a few clear groups, there are thousands of them, and both an unusual
    code and an unusual error should count.

    Do not use it when rows are few (K covariances are estimated on each batch), when you cannot
    afford to fit several seeds (published results are means of 20 runs and others found them
    hard to reproduce), or when the answer to "which column" has to be that of the score:
    `explain` tells the reconstruction error, not the energy.

    References
    ----------
    B. Zong, Q. Song, M. R. Min, W. Cheng, C. Lumezanu, D. Cho, H. Chen. Deep Autoencoding
    Gaussian Mixture Model for Unsupervised Anomaly Detection. ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import DAGMM
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) @ [[1, 2, 0, 1], [0, 1, 1, -1]]
    >>> detector = DAGMM(min_steps=500, random_state=0).fit(X)
    >>> detector.predict([[1.0, 2.0, 0.0, 1.0], [9.0, -9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Zong et al. 2018, ICLR"
    scores = ("energy", "residual")
    batch_size: int = 256
    min_steps: int = 1000
    scaling: Scaling = "minmax"
    presets: ClassVar[dict[str, Any]] = {
        "paper-kdd": as_published(
            latent_dim=1,
            hidden=(60, 30, 10),
            n_mixtures=4,
            batch_size=1024,
            learning_rate=1e-4,
            epochs=200,
        ),
        "paper-thyroid": as_published(
            latent_dim=1,
            hidden=(12, 4),
            n_mixtures=2,
            batch_size=1024,
            learning_rate=1e-4,
            epochs=20000,
        ),
        "paper-arrhythmia": as_published(
            latent_dim=2,
            hidden=(10,),
            n_mixtures=2,
            batch_size=128,
            learning_rate=1e-4,
            epochs=10000,
        ),
    }
    _betas = (0.9, 0.999)
    _learning_rates: ClassVar[dict[str, float]] = {"table": 1e-3, "image": 1e-3}
    _latent_dims: ClassVar[dict[str, int]] = {"table": 1, "image": 8}

    n_mixtures: int = parameter(default=4, constraint=[Interval(Integral, 1, None, closed="left")])
    weight_energy: float = parameter(
        default=0.1, constraint=[Interval(Real, 0, None, closed="left")]
    )
    weight_covariance: float = parameter(
        default=0.005, constraint=[Interval(Real, 0, None, closed="left")]
    )
    hidden: Sequence[int] | None = parameter(default=None, constraint=[tuple, list, None])

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        if spec.kind == "image":
            encoder = networks.encoder(shape, latent_dim, width=width)
            generator = networks.generator(shape, latent_dim, width=width)
        else:
            width = width or 60
            hidden = (width, max(2, width // 2), max(2, width // 6))
            units = [*shape, *checked(hidden if self.hidden is None else self.hidden)]
            encoder = tanh_layers([*units, latent_dim])
            generator = tanh_layers([latent_dim, *reversed(units)])
        n, k = latent_dim + 2, self.n_mixtures
        estimator = nn.Sequential(nn.Linear(n, 10), nn.Tanh(), Dropout(0.5), nn.Linear(10, k))
        return {
            "encoder": encoder,
            "generator": generator,
            "estimator": estimator,
            "mixture": Mixture(k, n),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        y, features = self._mixture_features(nets, x)
        phi, means, covariances = estimate_mixture([(features, nets["estimator"](features))])
        loss = (
            (x - y).square().flatten(1).sum(1).mean()
            + self.weight_energy * energy(features, phi, means, covariances).mean()
            + self.weight_covariance * (1 / covariances.diagonal(dim1=1, dim2=2)).sum()
        )
        yield Loss("objective", loss, ("encoder", "generator", "estimator"))

    def _finish(self, nets: Networks, chunks: Iterator[Tensor]) -> None:
        features = (self._mixture_features(nets, x)[1] for x in chunks)
        mixture = estimate_mixture((z, nets["estimator"](z)) for z in features)
        for buffer, value in zip(nets["mixture"].buffers(), mixture, strict=True):
            buffer.copy_(value)

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        y, features = self._mixture_features(nets, x)
        residual = (x - y).square()
        components = {
            "energy": nets["mixture"](features),
            "residual": residual.flatten(1).sum(1),
        }
        return Score(components, residual, {score: 1.0})

    def _mixture_features(self, nets: Networks, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reconstructions and the features z, shape (n, latent_dim + 2)."""
        code = nets["encoder"](x)
        y = nets["generator"](code)
        return y, torch.cat([code, reconstruction_features(x, y)], dim=1)


def checked(hidden: Sequence[int]) -> Sequence[int]:
    """Return the sizes of hidden layers, or say what is wrong with them."""
    if not hidden or any(not isinstance(n, Integral) or n < 1 for n in hidden):
        raise ValueError(f"hidden must be one or more whole numbers of at least 1, not {hidden!r}")
    return hidden


def tanh_layers(units: Sequence[int]) -> nn.Sequential:
    """Return linear layers from units[0] to units[-1] with tanh between them."""
    layers = [layer for n, m in pairwise(units) for layer in (nn.Linear(n, m), nn.Tanh())]
    return nn.Sequential(*layers[:-1])


def reconstruction_features(x: Tensor, y: Tensor) -> Tensor:
    """Return relative Euclidean distance and cosine similarity of x and y; shape (n, 2)."""
    x, y = x.flatten(1), y.flatten(1)
    norm = torch.linalg.vector_norm(x, dim=1).clamp_min(SMALLEST_NORM)
    relative = torch.linalg.vector_norm(x - y, dim=1) / norm
    return torch.stack([relative, F.cosine_similarity(x, y, dim=1)], dim=1)
