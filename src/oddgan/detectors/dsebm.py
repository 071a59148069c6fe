"""DSEBM: deep structured energy-based models (Zhai et al. 2016)."""

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar, cast

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn

from oddgan.estimator import Detector, Networks, NetworkSpec, as_published, parameter
from oddgan.networks import Noise
from oddgan.networks.architectures.energy import Energy, convolutions
from oddgan.scores import Score
from oddgan.training import Loss


class DSEBM(Detector):
    r"""Deep structured energy-based model: a network whose value is an energy, low on normal data.

    With h(x) the last hidden layer of a network of softplus layers and one vector b', the energy
    and its gradient are

    .. math::
        e(x) = \tfrac12 \lVert x - b' \rVert_2^2 - \sum_j h_j(x), \qquad
        \nabla e(x) = x - f(x), \quad f(x) = b' + \nabla \sum_j h_j(x).

    f is an autoencoder whose decoder has the encoder's weights, transposed. It is trained to
    denoise (score matching), with x~ = x + \varepsilon, \varepsilon \sim N(0, \sigma^2 I):

    .. math::
        \min \; \mathbb{E} \lVert x - f(\tilde x) \rVert_2^2,

    which makes e(x) / \sigma^2 the negative logarithm of the density of noisy samples, up to a
    constant.

    Parameters
    ----------
    score_name : {"energy", "reconstruction"}, default="energy"
        What the anomaly score is:

        - "energy": e(x), called DSEBM-e;
        - "reconstruction": || x - f(x) ||_2 = || \nabla e(x) ||_2, called DSEBM-r.
    noise_scale : float, default=1.0
        Standard deviation \sigma of the noise, in units of the scaled input.
    **options
        See Other Parameters. `latent_dim` is the size of h, 512 by default for tables and 128
        for images; `width` is 128 by default for tables. `learning_rate` is 1e-3 by default for
        images too.

    Notes
    -----
    The energy is the paper's. Layers are those of the implementation by ALAD's authors, which is
    the one that is used: 128 and 512 units for KDD99; for images convolutions 3x3/2 of 64 and
    more channels and a dense layer of 128, here without the max-pooling and as many convolutions
    as leave no side longer than 7 pixels. That code differs from the paper: it adds a decoder of
    transposed weights to the network, sums that decoder's outputs in the energy in place of h,
    and takes the gradient through all of it. Its b' has a row for every place in a batch, so that
    a score depends on the order of the samples; here b' is one vector.

    The energy of a sample far away grows as its squared distance: the sum of h grows only
    linearly. So e(x) is never upside down far from the data.

    Use it when a density is what you want, smoothed over \sigma, and training has to be steady:
    there is one network, one loss and no opponent.

    Do not use it when normal and odd samples differ by much less than \sigma in every column
    (lower `noise_scale`), or when columns are mostly categories, to which Gaussian noise means
    little. DSEBM-r is 0 in the valleys and on the
    saddles of the density too, and not only on its peaks.

    References
    ----------
    S. Zhai, Y. Cheng, W. Lu, Z. Zhang. Deep Structured Energy Based Models for Anomaly Detection.
    ICML 2016, arXiv 1605.07717.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import DSEBM
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> detector = DSEBM(epochs=10, random_state=0).fit(X)
    >>> detector.predict([[0.1, 0.0, -0.2, 0.3], [9.0, 9.0, 9.0, 9.0]])
    array([ 1, -1])
    """

    reference = "Zhai et al. 2016, ICML, arXiv 1605.07717"
    scores = ("energy", "reconstruction")
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "alad-kdd": as_published(latent_dim=512, width=128, batch_size=100, learning_rate=1e-4),
    }
    _betas = (0.9, 0.999)
    _learning_rates: ClassVar[dict[str, float]] = {"table": 1e-3, "image": 1e-3}
    _latent_dims: ClassVar[dict[str, int]] = {"table": 512, "image": 128}
    _initialisation: ClassVar[dict[str, Any]] = {"table": "xavier", "image": "xavier"}

    noise_scale: float = parameter(
        default=1.0, constraint=[Interval(Real, 0, None, closed="neither")]
    )

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        if spec.kind == "image":
            layers = convolutions(spec.shape, spec.latent_dim, spec.width or 64)
        else:
            width = spec.width or 128
            layers = [nn.Linear(spec.shape[0], width), nn.Linear(width, spec.latent_dim)]
        return {"energy": Energy(spec.shape, layers), "noise": Noise()}

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        noisy = x + self.noise_scale * nets["noise"](x)
        yield Loss("denoising", denoising_loss(x, noisy, nets["energy"](noisy)[1]), ("energy",))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        energy, gradient = nets["energy"](x)
        norm = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
        components = {"energy": energy, "reconstruction": norm}
        return Score(components, gradient.square(), {score: 1.0})

    def _embed(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        return cast("Energy", nets["energy"]).hidden(x)[-1][1]

    def _reconstruct(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        gradient: Tensor = nets["energy"](x)[1]
        return x - gradient


def denoising_loss(x: Tensor, noisy: Tensor, gradient: Tensor) -> Tensor:
    """|| x - (x~ - grad e(x~)) ||_2^2, averaged over the batch."""
    return (x - (noisy - gradient)).square().flatten(1).sum(1).mean()
