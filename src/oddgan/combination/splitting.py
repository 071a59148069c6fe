"""Which rows train the members, which give their p-values, and which set the threshold."""

import warnings
from typing import Any

import numpy as np

from oddgan import decisions, inputs


def generator(random_state: Any) -> np.random.Generator:
    """Return the random generator of a fit."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31 - 1)
    return np.random.default_rng(random_state)


def split_rows(
    source: inputs.Source, fraction: float, rng: np.random.Generator
) -> tuple[inputs.Source, inputs.Source, inputs.Source]:
    """Split at random into training rows (at least 3) and two halves of held-out rows.

    Samples of one group stay together in one of the three; the last, which sets the threshold,
    has one sample of each group.
    """
    if source.count() < 5:
        raise ValueError(
            f"Found array with {source.count()} sample(s) while a minimum of 5 is required."
        )
    units = inputs.Units.of(source)
    n = units.check(5)
    n_held_out = min(max(2, round(fraction * n)), n - 3)
    order = rng.permutation(n)
    first, second = (units.rows(half) for half in np.split(order[:n_held_out], [n_held_out // 2]))
    return units.rows(order[n_held_out:]), first, inputs.one_of_each_group(second)


def warn_of_few(n: int, target_fpr: float) -> None:
    """Warn if `n` held-out samples are too few for `target_fpr`."""
    needed = decisions.smallest_sample(target_fpr)
    if n < needed:
        warnings.warn(
            f"nothing will be flagged: target_fpr={target_fpr:g} takes {needed} held-out samples "
            f"(of groups one each) to calibrate the combination, and there are {n}; give more, or "
            "a larger calibration_fraction",
            stacklevel=4,
        )
