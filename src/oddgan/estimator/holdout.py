"""Which rows train, which are held out, and which are drawn; all by seeds of the fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from oddgan import decisions, inputs

#: Minimum number of rows that a member leaves out in cross-fitting, if there are twice as many.
MIN_LEFT_OUT = 10


@dataclass(frozen=True)
class HoldOut:
    """The rows of a fit.

    Attributes
    ----------
    train : inputs.Source
        The rows that at least one member trains on.
    held_out : inputs.Source
        The rows that set the threshold and the p-values.
    members : list of (inputs.Source, inputs.Source)
        For each member, the rows of `train` that it trains on, and those that it does not. One
        pair, (train, held_out), where there is no ensemble.
    cross_fitted : bool
        Whether each held-out row is left out by some members only; these alone score it.
    """

    train: inputs.Source
    held_out: inputs.Source
    members: list[tuple[inputs.Source, inputs.Source]]
    cross_fitted: bool = False

    def of_member(self, k: int) -> "HoldOut":
        """Return the rows of one member, as if there were no others."""
        return HoldOut(self.members[k][0], self.members[k][1], [self.members[k]])

    def left_out(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which members did not train on each of these held-out rows, (n, n_members)."""
        if not self.cross_fitted:
            return np.ones((len(rows), len(self.members)), dtype=bool)
        return np.stack([row_mask(rows_out)[rows] for _, rows_out in self.members], axis=1)


def hold_out(
    source: inputs.Source, fraction: float, n_members: int, target_fpr: float, seed: int
) -> HoldOut:
    """Split at random into training rows (at least 2) and held-out rows (at least 1).

    Samples that belong together (`inputs.with_groups`) are all on one side; all counts here are
    then counts of groups. Each member of an ensemble also holds out the same share of the training
    rows for itself. Where the common share would be too small for `target_fpr` there is none; the
    members then leave out every row in turn.
    """
    if source.count() < 3:
        raise ValueError(
            f"Found array with {source.count()} sample(s) while a minimum of 3 is required."
        )
    units = inputs.Units.of(source)
    n = units.check(3)
    n_held = min(max(1, round(fraction * n)), n - 2)
    order = np.random.default_rng(seed).permutation(n)
    train, held_out = units.rows(order[n_held:]), units.rows(order[:n_held])
    if n_members == 1:
        return HoldOut(train, held_out, [(train, held_out)])
    cross_fitted = n_held < decisions.smallest_sample(target_fpr)
    if cross_fitted:
        train = held_out = units.rows(order)
    else:
        order = order[n_held:]
    n = len(order)
    size = min(max(1, round(fraction * n)), n - 2)
    if cross_fitted:
        # With fewer rows, the scale would be made by the very rows that it is applied to.
        size = min(max(size, -(-n // n_members), min(MIN_LEFT_OUT, n // 2)), n - 2)
    members = []
    for k in range(n_members):
        left_out = np.take(order, np.arange(k * size, (k + 1) * size), mode="wrap")
        members.append((units.rows(np.setdiff1d(order, left_out)), units.rows(left_out)))
    return HoldOut(train, held_out, members, cross_fitted)


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
