"""Whether the score is one of oddness, asked without labels, of samples that were made odd."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ._check import HealthCheck

Floats = NDArray[np.float64]

#: Standard errors of an AUROC that a limit must be passed by: one healthy fit in 200 is by chance.
CERTAIN = 2.58
#: Share that the disagreement of members may have of all variance of their scores: at one half it
#: is as great as what samples differ by.
MOST_DISAGREEMENT = 0.5
#: The AUROC of the strongest noise against none that a score of oddness has at least.
LEAST_RISE = 0.6
#: The same for samples whose parts do not belong together; some data leave nothing to notice.
LEAST_MIXED = 0.4
#: The AUROC of held-out against training residuals that is still no overfitting.
MOST_OVERFIT = 0.75
#: Distinct scores there are at least, for one distinct sample.
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
    """Check that noise makes samples odder.

    Parameters
    ----------
    clean : ndarray of shape (n,)
        Scores of held-out normal samples.
    noisy : mapping of float to ndarray of shape (n,)
        Scores of the same with noise, by its strength in deviations, rising.
    """
    areas = {strength: auroc(clean, scores) for strength, scores in noisy.items()}
    strongest = max(areas)
    area, error = areas[strongest]
    listed = ", ".join(f"{area:.2f} at {strength:g}" for strength, (area, _) in areas.items())
    upside_down = area + CERTAIN * error < 0.5
    return HealthCheck(
        name="score upside down" if upside_down else "score blind to noise",
        passed=area + CERTAIN * error >= LEAST_RISE,
        severity="severe",
        value=area,
        limit=LEAST_RISE,
        measured=(
            "held-out samples with noise, against the same without, have AUROC "
            f"{listed} deviations, where at least {LEAST_RISE:g} is due at {strongest:g}"
        ),
        remedy=(
            "Choose another `score` or `scaling`; a higher score does not mean odder here"
            if upside_down
            else "Choose another `score` or `scaling`, or train longer"
        ),
    )


def score_sees_mixtures(clean: Floats, mixed: Floats) -> HealthCheck:
    """Check that samples with parts of others are not called less odd.

    Parameters
    ----------
    clean, mixed : ndarray of shape (n,)
        Scores of held-out normal samples, and of the same with cells or a patch of others.
    """
    area, error = auroc(clean, mixed)
    return HealthCheck(
        name="mixtures less odd",
        passed=area + CERTAIN * error >= LEAST_MIXED,
        severity="mild",
        value=area,
        limit=LEAST_MIXED,
        measured=(
            "held-out samples of which half belongs to others, against the same as they are, have "
            f"AUROC {area:.2f}, where at least {LEAST_MIXED:g} is due"
        ),
        remedy="Choose another `score`: this one prefers what is common in each part by itself",
    )


def score_distinguishes(scores: Floats, n_distinct: int) -> HealthCheck | None:
    """Check that different samples have different scores.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Scores of held-out normal samples.
    n_distinct : int
        How many of these samples differ; with fewer than 10 there is nothing to say.
    """
    if n_distinct < 10:
        return None
    found = len(np.unique(scores))
    share = found / n_distinct
    return HealthCheck(
        name="tied scores",
        passed=share >= LEAST_DISTINCT,
        severity="severe",
        value=share,
        limit=LEAST_DISTINCT,
        measured=(
            f"{n_distinct} different held-out samples have {found} different scores, where at "
            f"least {LEAST_DISTINCT:.0%} of as many are due"
        ),
        remedy="Choose another `score` or `scaling`: no threshold lies between scores that are one",
    )


def overfit(trained: Floats, held_out: Floats) -> HealthCheck:
    """Check that samples that trained are not reconstructed much better than others.

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
            "a held-out sample has a greater residual than one that trained with probability "
            f"{area:.2f}, where at most {MOST_OVERFIT:g} is due"
        ),
        remedy="Give more rows, or fewer `epochs` and `min_steps`, or a smaller `width`",
    )


def members_disagree(scores: Floats, strength: float) -> HealthCheck | None:
    """Check that the members of a population disagree less than samples differ.

    The variance of a sample's scores over the members, as a share of that and the variance of the
    samples: one minus the intraclass correlation (Shrout and Fleiss 1979, equation 1,1).

    Parameters
    ----------
    scores : ndarray of shape (n, n_members)
        Calibrated scores of held-out samples and of the same with noise; fewer than 10 or all
        equal say nothing.
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
            f"of held-out samples and these with noise of {strength:g} deviations the scores of "
            f"members deviate by {within**0.5:.2f} on one sample and by {between**0.5:.2f} between "
            "samples"
        ),
        remedy=(
            "Train longer, or look at the checks of single members: a mean of members that do not "
            "agree says little"
        ),
    )
