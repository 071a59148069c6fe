"""A check of a fit, and the checks of its rows and columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Maximum share of the residual of the average sample that one column may have.
MOST_SHARE = 0.9
#: Minimum number of training rows per encoded input of a table.
LEAST_ROWS = 2.0


class HealthWarning(UserWarning):
    """The scores of a fit are not reliable; the message says why, and how to fix it."""


@dataclass(frozen=True)
class HealthCheck:
    """One measurement of a fit, and whether it is within its limit.

    Attributes
    ----------
    name : str
        The possible problem.
    passed : bool
        Whether the value is within the limit.
    severity : {"severe", "mild"}
        What a failure means: "severe", the scores are not reliable; "mild", they have limitations.
    value, limit : float
        The measured value, and its limit.
    measured : str
        Both in words.
    remedy : str
        How to fix it, in one sentence.
    """

    name: str
    passed: bool
    severity: Literal["severe", "mild"]
    value: float
    limit: float
    measured: str
    remedy: str

    def __str__(self) -> str:
        remedy = "" if self.passed else f" {self.remedy}."
        return f"{self.name}: {self.measured}.{remedy}"


def few_held_out(
    n: int, needed: int, target_fpr: float, *, cross_fitted: bool = False
) -> HealthCheck:
    """Check that there are enough held-out samples for the target false positive rate.

    Parameters
    ----------
    n, needed : int
        Number of held-out samples, and the number that `target_fpr` needs.
    target_fpr : float
        The target false positive rate.
    cross_fitted : bool
        Whether the ensemble is cross-fitted: some members hold out every row already.
    """
    return HealthCheck(
        name="few held-out rows",
        passed=n >= needed,
        severity="mild",
        value=float(n),
        limit=float(needed),
        measured=f"{n} held-out rows, but target_fpr={target_fpr:g} needs {needed}",
        remedy=(
            "Use more rows, or a larger `target_fpr`: every row is held out already"
            if cross_fitted
            else "Use more rows, or a larger `calibration_fraction`"
        ),
    )


def few_training_rows(n: int, n_inputs: int) -> HealthCheck:
    """Check that a table has enough training rows for its inputs.

    Parameters
    ----------
    n, n_inputs : int
        Number of training rows and of encoded inputs.
    """
    return HealthCheck(
        name="few training rows",
        passed=n >= LEAST_ROWS * n_inputs,
        severity="mild",
        value=float(n),
        limit=LEAST_ROWS * n_inputs,
        measured=(
            f"{n} training rows for {n_inputs} encoded inputs (expected: at least "
            f"{LEAST_ROWS * n_inputs:g})"
        ),
        remedy="Use more rows, or fewer columns; a small `width` and `latent_dim` overfit less",
    )


def dominating_column(residuals: Floats, names: Sequence[str]) -> HealthCheck | None:
    """Check that the score does not depend on a single column.

    Parameters
    ----------
    residuals : ndarray of shape (n, n_columns)
        Contribution of each column, at least 0, for held-out samples; with fewer than 3 columns
        nothing is checked.
    names : sequence of str
        Names of the columns.
    """
    residuals = np.clip(residuals, 0, 1e100)  # their sum is finite
    total = residuals.sum(1, keepdims=True)
    positive = total[:, 0] > 0
    if len(names) < 3 or not positive.any():
        return None
    shares = (residuals[positive] / total[positive]).mean(0)
    largest = int(shares.argmax())
    share = float(shares[largest])
    return HealthCheck(
        name="a column that decides everything",
        passed=share <= MOST_SHARE,
        severity="severe",
        value=share,
        limit=MOST_SHARE,
        measured=(
            f"column {names[largest]!r} has {share:.0%} of the residual of the average held-out "
            f"sample (expected: at most {MOST_SHARE:.0%})"
        ),
        remedy="Try scaling='standard' or 'robust', or leave the column out",
    )
