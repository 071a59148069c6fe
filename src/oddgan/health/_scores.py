"""Checks of the score, without labels: on held-out samples and on corrupted copies of them.

Samples are corrupted in encoded space, independently of the meaning of a column or a pixel.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ._check import HealthCheck

Floats = NDArray[np.float64]

#: Standard errors by which an AUROC must miss a limit: one healthy fit in 200 does so by chance.
CERTAIN = 2.58
#: Maximum share of the members' disagreement in the variance of their scores: at one half, members
#: differ as much as samples.
MOST_DISAGREEMENT = 0.5
#: Minimum AUROC of samples with the strongest noise against those without.
LEAST_RISE = 0.6
#: The same for mixed samples; in some data nothing distinguishes them.
LEAST_MIXED = 0.4
#: Maximum AUROC of held-out against training residuals.
MOST_OVERFIT = 0.75
#: Minimum number of distinct scores per distinct sample.
LEAST_DISTINCT = 0.5


def auroc(low: Floats, high: Floats) -> tuple[float, float]:
    """Return how often `high` exceeds `low` (ties count half), and the standard error under 1/2.

    Parameters
    ----------
    low, high : ndarray of shape (m,) and (n,)
        Scores.
    """
    m, n = len(low), len(high)
    area = roc_auc_score([0] * m + [1] * n, np.concatenate([low, high]))
    return float(area), float(np.sqrt((m + n + 1) / (12 * m * n)))


def score_rises(clean: Floats, noisy: Mapping[float, Floats]) -> HealthCheck:
    """Check that noise raises the score.

    Parameters
    ----------
    clean : ndarray of shape (n,)
        Scores of held-out normal samples.
    noisy : mapping of float to ndarray of shape (n,)
        Scores of the same samples with noise, by its strength in deviations.
    """
    areas = {strength: auroc(clean, scores) for strength, scores in noisy.items()}
    strongest = max(areas)
    area, error = areas[strongest]
    values = ", ".join(f"{area:.2f} at {strength:g}" for strength, (area, _) in areas.items())
    upside_down = area + CERTAIN * error < 0.5
    return HealthCheck(
        name="score upside down" if upside_down else "score blind to noise",
        passed=area + CERTAIN * error >= LEAST_RISE,
        severity="severe",
        value=area,
        limit=LEAST_RISE,
        measured=(
            f"held-out samples with noise, against the same without, have AUROC {values} "
            f"deviations (expected: at least {LEAST_RISE:g} at {strongest:g})"
        ),
        remedy=(
            "Choose another `score_name` or `scaling`; a higher score does not mean more anomalous "
            "here"
            if upside_down
            else "Choose another `score_name` or `scaling`, or train longer"
        ),
    )


def score_sees_mixtures(clean: Floats, mixed: Floats) -> HealthCheck:
    """Check that samples mixed with others do not score lower.

    Parameters
    ----------
    clean, mixed : ndarray of shape (n,)
        Scores of held-out normal samples, and of these with cells or a patch of others.
    """
    area, error = auroc(clean, mixed)
    return HealthCheck(
        name="mixtures less odd",
        passed=area + CERTAIN * error >= LEAST_MIXED,
        severity="mild",
        value=area,
        limit=LEAST_MIXED,
        measured=(
            "held-out samples mixed half with others, against the same unmixed, have AUROC "
            f"{area:.2f} (expected: at least {LEAST_MIXED:g})"
        ),
        remedy="Choose another `score_name`: this one prefers common values in any combination",
    )


def score_distinguishes(scores: Floats, n_distinct: int) -> HealthCheck | None:
    """Check that distinct samples have distinct scores.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Scores of held-out normal samples.
    n_distinct : int
        Number of distinct samples; with fewer than 10 nothing is checked.
    """
    if n_distinct < 10:
        return None
    n_scores = len(np.unique(scores))
    share = n_scores / n_distinct
    return HealthCheck(
        name="tied scores",
        passed=share >= LEAST_DISTINCT,
        severity="severe",
        value=share,
        limit=LEAST_DISTINCT,
        measured=(
            f"{n_distinct} distinct held-out samples have {n_scores} distinct scores (expected: at "
            f"least {LEAST_DISTINCT:.0%} as many)"
        ),
        remedy="Choose another `score_name` or `scaling`: no threshold separates tied scores",
    )


def overfit(trained: Floats, held_out: Floats) -> HealthCheck:
    """Check that training samples are not reconstructed much better than others.

    Parameters
    ----------
    trained, held_out : ndarray of shape (m,) and (n,)
        Mean residuals of training and of held-out samples.
    """
    area, error = auroc(trained, held_out)
    return HealthCheck(
        name="overfit",
        passed=area - CERTAIN * error <= MOST_OVERFIT,
        severity="mild",
        value=area,
        limit=MOST_OVERFIT,
        measured=(
            "a held-out sample has a larger residual than a training sample with probability "
            f"{area:.2f} (expected: at most {MOST_OVERFIT:g})"
        ),
        remedy="Use more rows, or fewer `epochs` and `min_steps`, or a smaller `width`",
    )


def members_disagree(scores: Floats, strength: float) -> HealthCheck | None:
    """Check that the members of an ensemble disagree less than samples differ.

    The value is the variance of a sample's scores over the members, divided by the sum of it and
    the variance between samples: one minus the intraclass correlation (Shrout and Fleiss 1979,
    equation 1,1).

    Parameters
    ----------
    scores : ndarray of shape (n, n_members)
        Calibrated scores of held-out samples and of the same with noise; with fewer than 10, or
        if all are equal, nothing is checked.
    strength : float
        Deviations of the noise.
    """
    if len(scores) < 10:
        return None
    within = float(scores.var(1, ddof=1).mean())
    between = max(float(scores.mean(1).var(ddof=1)) - within / scores.shape[1], 0.0)
    if within + between == 0:
        return None
    share = within / (within + between)
    return HealthCheck(
        name="members disagree",
        passed=share < MOST_DISAGREEMENT,
        severity="severe",
        value=share,
        limit=MOST_DISAGREEMENT,
        measured=(
            f"on held-out samples with noise of {strength:g} deviations and without, the scores of "
            f"members deviate by {within**0.5:.2f} on one sample and by {between**0.5:.2f} between "
            "samples"
        ),
        remedy=(
            "Train longer, or look at the checks of single members: the mean of members that "
            "disagree means little"
        ),
    )


def noisy(x: Tensor, reference: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to every input.

    Parameters
    ----------
    x : Tensor of shape (n, d) or (n, c, h, w)
        Encoded samples.
    reference : Tensor of shape (m, d) or (m, c, h, w)
        Training samples: the noise of a column has `strength` times its deviation over them, the
        noise of a pixel `strength` times the deviation of all pixels. Images stay in their range.
    strength : float
        At least 0.
    generator : torch.Generator
        Draws the noise.
    """
    noise = torch.randn(x.shape, generator=generator)
    if x.ndim == 2:
        return x + strength * reference.std(dim=0, correction=0) * noise
    noisy_images = x + strength * reference.std(correction=0) * noise
    return noisy_images.clamp(reference.min(), reference.max())


def mixed(x: Tensor, share: float, owner: Tensor, generator: torch.Generator) -> Tensor:
    """Replace a part of each sample: cells with those of other rows, or a patch of an image.

    Each single value stays as common as before; only the dependence between values is broken.
    Independent columns are not affected.

    Parameters
    ----------
    x : Tensor of shape (n, d) or (n, c, h, w)
        Encoded samples.
    share : float
        Probability that a column is replaced, or the share of the area that is.
    owner : Tensor of shape (d,)
        The column of each encoded input; unused for images.
    generator : torch.Generator
        Draws cells and locations.
    """
    n = len(x)
    donor = x[_derangement(n, generator)]
    if x.ndim == 2:
        swapped = torch.rand(n, int(owner.max()) + 1, generator=generator) < share
        return torch.where(swapped[:, owner], donor, x)
    h, w = x.shape[2:]
    ph, pw = (max(1, round(side * share**0.5)) for side in (h, w))
    # All patches come from one location, and go to a random location in each image.
    top, left = _offsets(h - ph, n, generator), _offsets(w - pw, n, generator)
    rows, columns = top[:, None] + torch.arange(ph), left[:, None] + torch.arange(pw)
    first, second = (_offsets(largest, 1, generator) for largest in (h - ph, w - pw))
    patch = donor[:, :, first : first + ph, second : second + pw]
    images = x.clone()
    index = torch.arange(n)[:, None, None]
    images[index, :, rows[:, :, None], columns[:, None, :]] = patch.permute(0, 2, 3, 1)
    return images


def _derangement(n: int, generator: torch.Generator) -> Tensor:
    """Return the index of a different sample for each of n samples; 0 for a single one."""
    order = torch.randperm(n, generator=generator)
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others


def _offsets(largest: int, n: int, generator: torch.Generator) -> Tensor:
    return torch.randint(largest + 1, (n,), generator=generator)
