"""Which rows train, which set a scale or the threshold, and which are drawn; all by seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from oddgan import inputs

from .hooks import Hooks
from .score_name import needs_scale

#: Held-out rows that a threshold takes, as a multiple of ``1 / target_fpr``: with fewer a fit is
#: cross-fitted. 1 is the bare minimum, but a threshold that is the highest of 20 scores varies.
ENOUGH = 3
#: Fits of a cross-fitting: where they cost nothing, on tables, and on images.
N_FOLDS_FREE, N_FOLDS = 10, {"table": 5, "image": 3}
#: Share of the rows not held out that a scale is learned from; at least so many (but no more than a
#: quarter of them) and at most.
SHARE_FOR_SCALE, LEAST_FOR_SCALE, MOST_FOR_SCALE = 0.1, 10, 500


@dataclass(frozen=True)
class HoldOut:
    """The rows of a fit.

    Attributes
    ----------
    train : inputs.Source
        The rows that at least one member trains on.
    held_out : inputs.Source
        The rows that set the threshold and the p-values. They neither train nor set any scale.
    members : list of (inputs.Source, inputs.Source or None)
        For each member the rows of `train` that it trains on, and those that it does not train on
        but learns scales from; None if it needs none. One pair where there is no ensemble.
    """

    train: inputs.Source
    held_out: inputs.Source
    members: list[tuple[inputs.Source, inputs.Source | None]]

    def of_member(self, k: int) -> "HoldOut":
        """Return the rows of one member, as if there were no others."""
        return HoldOut(self.members[k][0], self.held_out, [self.members[k]])


def hold_outs(method: Hooks, source: inputs.Source, seed: int) -> list[HoldOut]:
    """Split at random into training rows (at least 2) and held-out rows (at least 1).

    Samples that belong together (`inputs.with_groups`) are all on one side; all counts here are
    then counts of groups.

    Returns
    -------
    list of HoldOut
        The rows of the fit. If they are to be cross-fitted, those of its further fits come next:
        each holds out another part, so that every row is held out once.
    """
    if source.count() < 3:
        raise ValueError(
            f"Found array with {source.count()} sample(s) while a minimum of 3 is required."
        )
    units = inputs.Units.of(source)
    n = units.check(3)
    n_held = min(max(1, round(method.calibration_fraction * n)), n - 2)
    order = np.random.default_rng(seed).permutation(n)
    further = min(_n_folds(method, source.kind, n_held) - 1, n - n_held)
    parts = np.array_split(order[n_held:], further) if further else []
    return [_hold_out(method, units, order, part) for part in (order[:n_held], *parts)]


def _n_folds(method: Hooks, kind: str, n_held: int) -> int:
    """Return the number of fits, 1 if there is no cross-fitting."""
    if method.n_folds != "auto":
        return int(method.n_folds)
    if n_held >= ENOUGH / method.target_fpr:
        return 1
    return N_FOLDS_FREE if method.closed_form or method.max_steps == 0 else N_FOLDS[kind]


def _hold_out(
    method: Hooks, units: inputs.Units, order: NDArray[np.int64], held_out: NDArray[np.int64]
) -> HoldOut:
    """Return the rows of a fit that holds out these units, of all in random order."""
    order = order[~np.isin(order, held_out)]
    train = units.rows(order)
    if method.n_members == 1 and not needs_scale(method):
        return HoldOut(train, units.rows(held_out), [(train, None)])
    members = list(_members(method, units, order))
    if method.n_members == 1:
        train = members[0][0]
    return HoldOut(train, units.rows(held_out), members)


def _members(
    method: Hooks, units: inputs.Units, order: NDArray[np.int64]
) -> Iterator[tuple[inputs.Source, inputs.Source | None]]:
    """Yield the rows of each member: those that train, and those that set its scales.

    Two rows both train and set the scales: there is none to spare.
    """
    n = len(order)
    size = max(round(SHARE_FOR_SCALE * n), min(LEAST_FOR_SCALE, n // 4), 1)
    size = min(size, MOST_FOR_SCALE, n - 2)
    for k in range(method.n_members):
        for_scale = np.take(order, np.arange(k * size, (k + 1) * size), mode="wrap")
        train = units.rows(np.setdiff1d(order, for_scale))
        yield train, units.rows(for_scale) if size else train


def readable(source: inputs.Source) -> int:
    """Return the number of samples of a source that was read, without skipped files."""
    return source.count() - len(source.skipped)


def row_mask(source: inputs.Source) -> NDArray[np.bool_]:
    """Return which rows, as chunks number them, are in a part of a :class:`Split`."""
    assert isinstance(source, inputs.Subset)
    return source.keep


def seeds(random_state: object, n: int) -> list[int]:
    """Draw `n` independent seeds, without touching NumPy's global state."""
    if random_state is None:
        sequence = np.random.SeedSequence()
    elif isinstance(random_state, int | np.integer):
        sequence = np.random.SeedSequence(int(random_state))
    else:
        sequence = np.random.SeedSequence(check_random_state(random_state).randint(2**31 - 1))
    return [int(seed) for seed in sequence.generate_state(n)]


def subsample(source: inputs.Source, most: int, seed: list[int]) -> inputs.Source:
    """Return `source`, or `most` of its rows drawn at random if it has more."""
    n = source.count()
    if n <= most:
        return source
    if isinstance(source, inputs.Patches):
        return source.subsample(most, np.random.default_rng(seed))
    mask = np.zeros(n, dtype=bool)
    mask[np.random.default_rng(seed).permutation(n)[:most]] = True
    return inputs.Subset(source, mask)
