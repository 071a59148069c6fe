"""Autoencoder: reconstruction through a narrow layer (Hinton and Salakhutdinov 2006)."""

from collections.abc import Iterator
from math import prod
from typing import ClassVar, Literal

from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from oddgan import networks
from oddgan.estimator import Detector, Networks, NetworkSpec, parameter
from oddgan.scores import Score
from oddgan.training import Loss


class Autoencoder(Detector):
    r"""A plain autoencoder: what does not pass through the narrow layer is odd.

    An encoder E and a decoder G minimise

    .. math::
        L = \mathbb{E}_x \lVert x - G(E(x)) \rVert_2^2,

    and the same squared error of a sample, summed over its pixels or columns, is its anomaly
    score.

    Parameters
    ----------
    score_name : {"l2", "l1"}, default="l2"
        What the anomaly score is:

        - "l2": || x - G(E(x)) ||_2^2, what is minimised;
        - "l1": || x - G(E(x)) ||_1, less of a single column or pixel that is far off.
    hidden : {"nonlinear", "linear"}, default="nonlinear"
        What E and G are: the networks below, or one linear layer each. At its minimum the linear
        one reconstructs as the first `latent_dim` principal components do (Bourlard and Kamp
        1988), though its own axes are neither those components nor in their order.
    **options
        See Other Parameters. `latent_dim` is 200 for images; for tables it is half the number of
        encoded columns, at most 32. `learning_rate` is 1e-3 by default for images too.

    Notes
    -----
    Networks are those of EGBAD's official code, E and G alone; no paper fixes them. There is no
    adversary, no noise and no prior: what GANs and the :class:`VAE` add is to be measured
    against this.

    Use it when a first answer is wanted from a network: it is quick, it has nothing that can
    collapse, its reconstructions can be looked at and `explain` adds up to the score.

    Do not use it when anomalies are made of what normal samples are made of (a blank or simpler
    image, a value between two clusters): they are reconstructed as well or better. With a
    `latent_dim` as large as the number of columns nothing forces it to err at all; and where a
    linear map would do, :class:`PCAReconstruction` is exact and needs no training.

    References
    ----------
    G. E. Hinton, R. R. Salakhutdinov. Reducing the Dimensionality of Data with Neural Networks.
    Science 313, 2006.
    H. Bourlard, Y. Kamp. Auto-Association by Multilayer Perceptrons and Singular Value
    Decomposition. Biological Cybernetics 59, 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import Autoencoder
    >>> X = np.random.default_rng(0).normal(size=(500, 1)) * [1.0, 2.0, 3.0]
    >>> detector = Autoencoder(random_state=0).fit(X)
    >>> detector.predict([[1.0, 2.0, 3.0], [1.0, -2.0, 3.0]])
    array([ 1, -1])
    """

    reference = "Hinton and Salakhutdinov 2006, Science 313"
    scores = ("l2", "l1")
    _autoencoder = ("encoder", "generator")
    _denoised = "encoder"
    _betas = (0.9, 0.999)
    _bottleneck = True
    _learning_rates: ClassVar[dict[str, float]] = {"table": 1e-3, "image": 1e-3}

    hidden: Literal["nonlinear", "linear"] = parameter(
        default="nonlinear", constraint=[StrOptions({"nonlinear", "linear"})]
    )

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        shape, latent_dim, width = spec.shape, spec.latent_dim, spec.width
        if self.hidden == "nonlinear":
            return {
                "encoder": networks.encoder(shape, latent_dim, width=width),
                "generator": networks.generator(shape, latent_dim, width=width),
            }
        n = prod(shape)
        return {
            "encoder": nn.Sequential(nn.Flatten(), nn.Linear(n, latent_dim)),
            "generator": nn.Sequential(nn.Linear(latent_dim, n), nn.Unflatten(1, shape)),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        squared = (x - nets["generator"](nets["encoder"](x))).square()
        yield Loss("reconstruction", squared.flatten(1).sum(1).mean(), ("encoder", "generator"))

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        difference = x - self._reconstruct(nets, x, score)
        residual = difference.square() if score == "l2" else difference.abs()
        return Score({score: residual.flatten(1).sum(1)}, residual)
