"""PCAReconstruction: the distance from the plane of the principal components."""

from collections.abc import Iterator
from itertools import chain
from math import prod
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.decomposition import IncrementalPCA
from torch import Tensor, nn

from oddgan.estimator import Detector, Networks, NetworkSpec
from oddgan.networks import bare
from oddgan.scores import Score
from oddgan.training import Loss

Floats = NDArray[np.float64]

#: Most inputs whose covariance matrix is held in memory.
MOST_EXACT = 4096
#: A direction with less than this share of the largest variance is rounding, no component.
NO_VARIANCE = 1e-12


class PCAReconstruction(Detector):
    r"""Principal component analysis: how far a sample is from the plane of normal ones.

    With m the mean of the training rows and the k rows of W the orthonormal directions of their
    largest variances,

    .. math::
        z = W (x - m), \qquad \hat x = m + W^\top z, \qquad
        A(x) = \lVert x - \hat x \rVert_2^2.

    It is what a linear autoencoder learns, without training: the answer that every network has
    to beat.

    Parameters
    ----------
    score_name : {"l2", "l1"}, default="l2"
        What the anomaly score is:

        - "l2": the squared distance, summed over columns or pixels;
        - "l1": the sum of the absolute differences.
    **options
        See Other Parameters. `latent_dim` is the number of components k; by default 30, for
        tables at most half the number of encoded columns. There are at most min(n, d) - 1 for n
        rows of d inputs, so that something is left to score, and none without variance; what is
        asked for beyond that is always 0 in `embed`. Nothing is trained: `width`, `epochs`,
        `min_steps`, `max_steps`, `batch_size`, `learning_rate`, `ema_decay`, `stream`,
        `precision` and `checkpoint` have no effect.

    Notes
    -----
    Up to 4,096 inputs the components are those of the exact covariance, summed in double
    precision over one pass; beyond that scikit-learn's IncrementalPCA finds them, approximately.
    Either way rows are read in chunks, and memory does not grow with their number. With a
    `condition` the components are those of what is left after a linear regression on it.

    Use it when you need a first answer within seconds, when columns hang together linearly, and
    always beside a network, to see what the network adds.

    Do not use it when normal samples lie on a curve or in separate clusters (the plane through
    them is full of odd places that score as normal), or when anomalies differ along the main
    directions: far out on the plane the score is still 0.

    References
    ----------
    K. Pearson. On Lines and Planes of Closest Fit to Systems of Points in Space. Philosophical
    Magazine 2, 1901.
    M.-L. Shyu, S.-C. Chen, K. Sarinnapakorn, L. Chang. A Novel Anomaly Detection Scheme Based on
    Principal Component Classifier. ICDM Foundations and New Directions of Data Mining, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from oddgan import PCAReconstruction
    >>> X = np.random.default_rng(0).normal(size=(500, 1)) * [1.0, 2.0, 3.0]
    >>> detector = PCAReconstruction(latent_dim=1, random_state=0).fit(X)
    >>> detector.predict([[1.0, 2.0, 3.0], [1.0, -2.0, 3.0]])
    array([ 1, -1])
    """

    reference = "Pearson 1901, Philosophical Magazine 2; Shyu et al. 2003, ICDM"
    scores = ("l2", "l1")
    closed_form = True
    _bottleneck = True
    _latent_dims: ClassVar[dict[str, int]] = {"table": 30, "image": 30}

    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        d, k = prod(spec.shape), spec.latent_dim
        return {
            "encoder": nn.Sequential(nn.Flatten(), nn.Linear(d, k)),
            "generator": nn.Sequential(nn.Linear(k, d), nn.Unflatten(1, spec.shape)),
        }

    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[Loss]:
        return iter(())  # a closed form has nothing to train

    def _solve(self, nets: Networks, chunks: Iterator[Tensor]) -> None:
        encoder, generator = nets["encoder"][1], nets["generator"][0]  # type: ignore[index]
        W, V = cast("nn.Linear", bare(encoder)), cast("nn.Linear", bare(generator))
        mean, components, slope = map(
            torch.from_numpy, principal_components(chunks, W.in_features, W.out_features)
        )
        with torch.no_grad():
            W.weight.copy_(components)
            W.bias.copy_(-components @ mean)
            V.weight.copy_(components.T)
            V.bias.copy_(mean)
            if encoder is not W:  # the mean moves with the context
                encoder.context.copy_(-components @ slope)
                generator.context.copy_(slope)

    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        difference = x - self._reconstruct(nets, x, score)
        residual = difference.square() if score == "l2" else difference.abs()
        return Score({score: residual.flatten(1).sum(1)}, residual)


def principal_components(chunks: Iterator[Tensor], d: int, k: int) -> tuple[Floats, Floats, Floats]:
    """Return mean, components and regression on the context of all rows.

    Parameters
    ----------
    chunks : iterator of Tensor
        Rows, whose numbers beyond the first `d` are their context c.
    d, k : int
        Numbers of inputs and of components.

    Returns
    -------
    mean : ndarray of shape (d,)
        At c = 0.
    components : ndarray of shape (k, d)
        Orthonormal; those beyond min(n, d) - 1, and those without variance, are 0.
    slope : ndarray of shape (d, condition_dim)
        What the mean grows by with c, least squares.
    """
    rows = (x.flatten(1).double().numpy() for x in chunks)
    solve = _exact if d <= MOST_EXACT else _incremental
    mean, variances, directions, slope = solve(rows, d, k)
    directions = directions[variances > NO_VARIANCE * variances[:1]]
    components = np.zeros((k, d))
    components[: len(directions)] = directions
    return mean, components, slope


Solution = tuple[Floats, Floats, Floats, Floats]


def _exact(rows: Iterator[Floats], d: int, k: int) -> Solution:
    """Return mean, variances and components, largest first, and slope by the covariance."""
    first = next(rows)
    shift = first.mean(0)  # near the mean: the squares of large numbers would cancel
    n, total, products = 0, np.zeros(len(shift)), np.zeros((len(shift), len(shift)))
    for x in chain([first], rows):
        centred = x - shift
        n += len(x)
        total += centred.sum(0)
        products += centred.T @ centred
    mean = total / n
    covariance = products / n - np.outer(mean, mean)
    mean += shift
    slope = covariance[:d, d:] @ np.linalg.pinv(covariance[d:, d:], hermitian=True)
    mean = mean[:d] - slope @ mean[d:]
    k = min(k, n - 1, d - 1)
    if k == 0:
        return mean, np.empty(0), np.empty((0, d)), slope
    left = covariance[:d, :d] - slope @ covariance[d:, :d]
    variances, vectors = eigh(left, subset_by_index=(d - k, d - 1))
    return mean, variances[::-1], vectors.T[::-1], slope


def _incremental(rows: Iterator[Floats], d: int, k: int) -> Solution:
    """Return the same, approximately, without a matrix of d x d."""
    held: list[Floats] = []
    for x in rows:
        if x.shape[1] > d:
            raise ValueError(
                f"PCAReconstruction with a condition takes at most {MOST_EXACT} inputs, not {d}"
            )
        held.append(x)
        if sum(map(len, held)) > k:  # the first batch needs a row more than components
            break
    first = np.concatenate(held)
    pca = IncrementalPCA(min(k, len(first) - 1, d - 1)).partial_fit(first)
    for x in rows:
        pca.partial_fit(x)
    return pca.mean_, pca.explained_variance_, pca.components_, np.empty((d, 0))
