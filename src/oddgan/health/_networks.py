"""Checks of the networks, from generated samples, reconstructions, latents and losses."""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from ._check import HealthCheck

Floats = NDArray[np.float64]

#: Minimum deviation of generated samples, as a share of that of the data.
LEAST_SPREAD = 0.03
#: Minimum distance to the nearest other generated sample, as a share of that in the data.
LEAST_DISTANCE = 0.02
#: Minimum deviation of latents over samples, as a share of their length.
LEAST_LATENT = 0.01
#: Minimum deviation of reconstructions over samples, as a share of that of the samples.
LEAST_RECONSTRUCTED = 0.1
#: The first tenth of principal components must explain this many times the variance that they
#: would explain of noise; otherwise there is no structure to reconstruct.
_STRUCTURE = 2.0
#: Minimum and maximum length of latents, as a share of that of draws from the prior. Encoders of
#: healthy fits that trained briefly on small images stay at a tenth.
LEAST_LENGTH, MOST_LENGTH = 0.05, 8.0
#: A discriminator with a lower mean cross-entropy loss separates almost perfectly.
SEPARATES = 1e-3
#: A discriminator whose loss stays this close to that of a coin flip outputs a constant.
CONSTANT = 1e-5


def collapsed_generator(generated: Floats, rows: Floats) -> HealthCheck | None:
    """Check that generated samples vary as much as the data, by order of magnitude.

    Parameters
    ----------
    generated, rows : ndarray of shape (n, d)
        Samples of G(z), z ~ N(0, I), and training samples.
    """
    spread = float(np.sqrt(rows.var(0).sum()))
    if spread == 0:
        return None
    ratio = float(np.sqrt(generated.var(0).sum())) / spread
    return HealthCheck(
        name="collapsed generator",
        passed=ratio >= LEAST_SPREAD,
        severity="severe",
        value=ratio,
        limit=LEAST_SPREAD,
        measured=(
            f"the deviation of generated samples is {ratio:.3f} of that of the data (expected: at "
            f"least {LEAST_SPREAD:g})"
        ),
        remedy=_TRAIN_OTHERWISE,
    )


def repeating_generator(generated: Floats, rows: Floats) -> HealthCheck | None:
    """Check that the generator does not repeat the same few samples.

    Parameters
    ----------
    generated, rows : ndarray of shape (n, d)
        Samples of G(z), z ~ N(0, I), and as many training samples.
    """
    n = min(len(generated), len(rows))
    distance = _nearest(rows[:n])
    if n < 10 or distance == 0:
        return None
    ratio = _nearest(generated[:n]) / distance
    return HealthCheck(
        name="repeating generator",
        passed=ratio >= LEAST_DISTANCE,
        severity="severe",
        value=ratio,
        limit=LEAST_DISTANCE,
        measured=(
            f"the median distance of a generated sample to the nearest other one is {ratio:.3f} of "
            f"that in the data (expected: at least {LEAST_DISTANCE:g})"
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
            f"the latents of held-out samples vary by {share:.4f} of their length (expected: at "
            f"least {LEAST_LATENT:g})"
        ),
        remedy="Train longer, or try another `learning_rate` or `scaling`",
    )


def same_reconstruction(reconstructed: Floats, rows: Floats) -> HealthCheck | None:
    """Check that the reconstruction depends on the sample.

    An autoencoder that reconstructs every sample as about the mean of the data has not learned
    from them; in a VAE this is known as posterior collapse. It still finds samples far from the
    mean, so the severity is mild. If columns or pixels are independent of each other, the mean is
    the best reconstruction, and nothing is checked.

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
            f"the deviation of reconstructions is {ratio:.3f} of that of their samples (expected: "
            f"at least {LEAST_RECONSTRUCTED:g}): all reconstructions are about the same"
        ),
        remedy=_TRAIN_OTHERWISE,
    )


def _has_structure(rows: Floats) -> bool:
    """Return whether a few directions from half of the rows explain much of the other half."""
    half, d = len(rows) // 2, rows.shape[1]
    k = max(1, d // 10)
    if half <= k:
        return True
    pca = PCA(k, svd_solver="covariance_eigh" if d < half else "full").fit(rows[:half])
    others = rows[half:] - rows[half:].mean(0)
    explained = np.square(others @ pca.components_.T).sum() / np.square(others).sum()
    return bool(explained >= _STRUCTURE * k / d)


def encoder_apart(latents: Floats) -> HealthCheck:
    """Check that latents are in the region that the generator was trained on.

    Draws from N(0, I) in k dimensions lie near a sphere of radius sqrt(k).

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
            f"the latents of held-out samples are {ratio:.2f} times as long as draws from the "
            f"prior (expected: {LEAST_LENGTH:g} to {MOST_LENGTH:g})"
        ),
        remedy=(
            "Try another `scaling` or `score_name`: reconstructions come from latents that the "
            "generator was not trained on"
        ),
    )


def discriminators(judgements: Sequence[Mapping[str, float]]) -> list[HealthCheck]:
    """Check that each discriminator neither outputs a constant nor separates perfectly.

    Parameters
    ----------
    judgements : sequence of mapping
        Mean losses -log D(real) - log(1 - D(generated)) between reports, by name, with "step".
        Only the second half is used.
    """
    late = judgements[len(judgements) // 2 :]
    checks = []
    for name in {name: None for entry in late for name in entry if name != "step"}:
        losses = np.array([entry[name] for entry in late if name in entry])
        from_coin = float(np.abs(losses - 2 * log(2)).max())
        mean = float(losses.mean())
        saturated = mean < SEPARATES
        prefix = f"{name} " if name != "discriminator" else ""
        checks.append(
            HealthCheck(
                name=f"{prefix}saturated discriminator"
                if saturated
                else f"{prefix}dead discriminator",
                passed=not saturated and from_coin >= CONSTANT,
                severity="severe",
                value=mean if saturated else from_coin,
                limit=SEPARATES if saturated else CONSTANT,
                measured=(
                    f"in the second half of training the mean loss of the {name} was {mean:.4g}, "
                    f"and at most {from_coin:.2g} from that of a coin flip; below {SEPARATES:g} "
                    f"the generator learns nothing, and within {CONSTANT:g} it outputs a constant"
                ),
                remedy=(
                    "Try a lower `learning_rate`, another `scaling` or fewer `epochs`"
                    if saturated
                    else "Try a higher `learning_rate`, another `scaling` or another seed"
                ),
            )
        )
    return checks
