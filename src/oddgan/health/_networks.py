"""Whether the networks learnt what they were to, asked of what they make and answer."""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from ._check import HealthCheck

Floats = NDArray[np.float64]

#: Deviation of generated samples, at least, as a share of that of the data.
LEAST_SPREAD = 0.03
#: Distance to the nearest other sample that was generated, at least, as a share of the data's.
LEAST_DISTANCE = 0.02
#: Deviation of latents over samples, at least, as a share of their length.
LEAST_LATENT = 0.01
#: Deviation of reconstructions over samples, at least, as a share of that of the samples.
LEAST_RECONSTRUCTED = 0.1
#: How much more than their share of noise the first tenth of principal components must explain for
#: there to be anything to reconstruct.
_STRUCTURE = 2.0
#: Length of latents as a share of that of draws of the prior, at least and at most. Encoders of
#: sound fits that trained briefly on small images stay at a tenth.
LEAST_LENGTH, MOST_LENGTH = 0.05, 8.0
#: A mean cross-entropy loss of a discriminator below this separates almost without a doubt.
SEPARATES = 1e-3
#: A loss as near to that of a coin, at every report, is of a constant answer.
CONSTANT = 1e-5


def collapsed_generator(made: Floats, rows: Floats) -> HealthCheck | None:
    """Check that generated samples are as varied as the data, by order of magnitude.

    Parameters
    ----------
    made, rows : ndarray of shape (n, d)
        Samples of G(z), z ~ N(0, I), and training samples.
    """
    spread = float(np.sqrt(rows.var(0).sum()))
    if spread == 0:
        return None
    ratio = float(np.sqrt(made.var(0).sum())) / spread
    return HealthCheck(
        name="collapsed generator",
        passed=ratio >= LEAST_SPREAD,
        severity="severe",
        value=ratio,
        limit=LEAST_SPREAD,
        measured=(
            f"the deviation of generated samples is {ratio:.3f} of that of the data, where at "
            f"least {LEAST_SPREAD:g} is due"
        ),
        remedy=_TRAIN_OTHERWISE,
    )


def repeating_generator(made: Floats, rows: Floats) -> HealthCheck | None:
    """Check that the generator does not make the same few samples again and again.

    Parameters
    ----------
    made, rows : ndarray of shape (n, d)
        Samples of G(z), z ~ N(0, I), and as many training samples.
    """
    n = min(len(made), len(rows))
    own = _nearest(rows[:n])
    if n < 10 or own == 0:
        return None
    ratio = _nearest(made[:n]) / own
    return HealthCheck(
        name="repeating generator",
        passed=ratio >= LEAST_DISTANCE,
        severity="severe",
        value=ratio,
        limit=LEAST_DISTANCE,
        measured=(
            f"the median distance of a generated sample to the nearest other one is {ratio:.3f} of "
            f"that in the data, where at least {LEAST_DISTANCE:g} is due"
        ),
        remedy=_TRAIN_OTHERWISE,
    )


_TRAIN_OTHERWISE = "Train longer, try another `learning_rate` or seed, or another detector"


def _nearest(rows: Floats) -> float:
    distances, _ = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors()
    return float(np.median(distances))


def dead_encoder(latents: Floats) -> HealthCheck | None:
    """Check that the latents depend on the samples.

    Parameters
    ----------
    latents : ndarray of shape (n, k)
        Latents of held-out samples.
    """
    if len(latents) < 2:
        return None
    length = np.sqrt(np.square(latents).sum(1).mean())
    share = float(np.sqrt(latents.var(0).sum()) / length) if length else 0.0
    return HealthCheck(
        name="dead encoder",
        passed=share >= LEAST_LATENT,
        severity="severe",
        value=share,
        limit=LEAST_LATENT,
        measured=(
            f"the latents of held-out samples vary by {share:.4f} of their length, where at least "
            f"{LEAST_LATENT:g} is due"
        ),
        remedy="Train longer, or try another `learning_rate` or `scaling`",
    )


def same_reconstruction(reconstructed: Floats, rows: Floats) -> HealthCheck | None:
    """Check that the reconstruction depends on the sample.

    An autoencoder that gives about the mean of the data for each sample has learnt none of them. Of
    a VAE this is known as posterior collapse. What is far from the mean is found all the same, so
    this is mild. Where columns or pixels do not depend on each other, the mean is all that can be
    told, and nothing is checked.

    Parameters
    ----------
    reconstructed, rows : ndarray of shape (n, d)
        Reconstructions of samples, and these samples.
    """
    spread = float(np.sqrt(rows.var(0).sum()))
    if spread == 0 or not _has_structure(rows):
        return None
    ratio = float(np.sqrt(reconstructed.var(0).sum())) / spread
    return HealthCheck(
        name="same reconstruction",
        passed=ratio >= LEAST_RECONSTRUCTED,
        severity="mild",
        value=ratio,
        limit=LEAST_RECONSTRUCTED,
        measured=(
            f"the deviation of reconstructions is {ratio:.3f} of that of their samples, where at "
            f"least {LEAST_RECONSTRUCTED:g} is due: whatever it is given, it answers about the same"
        ),
        remedy=_TRAIN_OTHERWISE,
    )


def _has_structure(rows: Floats) -> bool:
    """Say whether few directions of one half of the rows tell much of the other half."""
    half, d = len(rows) // 2, rows.shape[1]
    k = max(1, d // 10)
    if half <= k:
        return True
    pca = PCA(k, svd_solver="covariance_eigh" if d < half else "full").fit(rows[:half])
    others = rows[half:] - rows[half:].mean(0)
    told = np.square(others @ pca.components_.T).sum() / np.square(others).sum()
    return bool(told >= _STRUCTURE * k / d)


def encoder_apart(latents: Floats) -> HealthCheck:
    """Check that latents are where the generator learnt to answer.

    Draws of N(0, I) of k dimensions lie around a sphere of radius sqrt(k).

    Parameters
    ----------
    latents : ndarray of shape (n, k)
        Latents of held-out samples.
    """
    ratio = float(np.sqrt(np.median(np.square(latents).sum(1)) / latents.shape[1]))
    return HealthCheck(
        name="encoder and prior apart",
        passed=LEAST_LENGTH <= ratio <= MOST_LENGTH,
        severity="mild",
        value=ratio,
        limit=MOST_LENGTH if ratio > 1 else LEAST_LENGTH,
        measured=(
            f"the latents of held-out samples are {ratio:.2f} times as long as draws of the prior, "
            f"where {LEAST_LENGTH:g} to {MOST_LENGTH:g} is due"
        ),
        remedy=(
            "Try another `scaling` or `score`: reconstructions come from latents that the "
            "generator was not trained on"
        ),
    )


def discriminators(judgements: Sequence[Mapping[str, float]]) -> list[HealthCheck]:
    """Check of each discriminator that it neither answers a constant nor never errs.

    Parameters
    ----------
    judgements : sequence of mapping
        Mean losses -log D(real) - log(1 - D(generated)) between reports, by name, beside "step".
        The second half counts.
    """
    late = judgements[len(judgements) // 2 :]
    found = []
    for name in {name: None for entry in late for name in entry if name != "step"}:
        losses = np.array([entry[name] for entry in late if name in entry])
        from_coin = float(np.abs(losses - 2 * log(2)).max())
        mean = float(losses.mean())
        saturated = mean < SEPARATES
        called = f"{name} " if name != "discriminator" else ""
        found.append(
            HealthCheck(
                name=f"{called}saturated discriminator"
                if saturated
                else f"{called}dead discriminator",
                passed=not saturated and from_coin >= CONSTANT,
                severity="severe",
                value=mean if saturated else from_coin,
                limit=SEPARATES if saturated else CONSTANT,
                measured=(
                    f"in the second half of training the mean loss of the {name} was {mean:.4g}, "
                    f"and at most {from_coin:.2g} from that of a coin; below {SEPARATES:g} it "
                    f"leaves nothing to learn, and within {CONSTANT:g} it answers a constant"
                ),
                remedy=(
                    "Try a lower `learning_rate`, another `scaling` or fewer `epochs`"
                    if saturated
                    else "Try a higher `learning_rate`, another `scaling` or another seed"
                ),
            )
        )
    return found
