"""Whether there are rows enough, and all columns count."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ._check import HealthCheck

Floats = NDArray[np.float64]

#: Share of the residual, on the average sample, that one column may have.
MOST_SHARE = 0.9
#: Training rows there are at least, for one encoded input of a table.
LEAST_ROWS = 2.0


def few_held_out(n: int, needed: int, target_fpr: float, *, crossed: bool = False) -> HealthCheck:
    """Check that there are held-out samples enough for the share of false alarms.

    Parameters
    ----------
    n, needed : int
        How many there are, and how many it takes.
    target_fpr : float
        The share that was promised.
    crossed : bool
        Whether every row is held out already, by some members of a population.
    """
    return HealthCheck(
        name="few held-out rows",
        passed=n >= needed,
        severity="mild",
        value=float(n),
        limit=float(needed),
        measured=f"{n} held-out rows, where target_fpr={target_fpr:g} takes {needed}",
        remedy=(
            "Give more rows, or a larger `target_fpr`: every row is held out already"
            if crossed
            else "Give more rows, or a larger `calibration_fraction`"
        ),
    )


def few_training_rows(n: int, n_inputs: int) -> HealthCheck:
    """Check that a table has more training rows than inputs.

    Parameters
    ----------
    n, n_inputs : int
        Training rows, and encoded inputs.
    """
    return HealthCheck(
        name="few training rows",
        passed=n >= LEAST_ROWS * n_inputs,
        severity="mild",
        value=float(n),
        limit=LEAST_ROWS * n_inputs,
        measured=(
            f"{n} training rows for {n_inputs} encoded inputs, where at least "
            f"{LEAST_ROWS * n_inputs:g} are due"
        ),
        remedy="Give more rows, or fewer columns; a small `width` and `latent_dim` overfit less",
    )


def dominating_column(residuals: Floats, names: Sequence[str]) -> HealthCheck | None:
    """Check that no column decides by itself what is odd.

    Parameters
    ----------
    residuals : ndarray of shape (n, n_columns)
        What each column contributes, at least 0, for held-out samples; with fewer than 3 columns
        there is nothing to say.
    names : sequence of str
        Of the columns.
    """
    residuals = np.clip(residuals, 0, 1e100)  # a sum of them is finite
    total = residuals.sum(1, keepdims=True)
    counted = total[:, 0] > 0
    if len(names) < 3 or not counted.any():
        return None
    shares = (residuals[counted] / total[counted]).mean(0)
    most = int(shares.argmax())
    share = float(shares[most])
    return HealthCheck(
        name="a column that decides everything",
        passed=share <= MOST_SHARE,
        severity="severe",
        value=share,
        limit=MOST_SHARE,
        measured=(
            f"column {names[most]!r} has {share:.0%} of the residual of the average held-out "
            f"sample, where at most {MOST_SHARE:.0%} is due"
        ),
        remedy="Try scaling='standard' or 'robust', or leave the column out",
    )
