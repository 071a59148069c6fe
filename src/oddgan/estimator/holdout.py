"""Which rows train, which are held out, and what is drawn of them; all by seeds of the fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from oddgan import decisions, inputs

#: Rows that a member leaves out at least, if there are twice as many, where all are left out.
FEWEST = 10


@dataclass(frozen=True)
class HoldOut:
    """The rows of a fit.

    Attributes
    ----------
    train : inputs.Source
        The rows that some member trains on.
    held_out : inputs.Source
        The rows that threshold and p-values are made from.
    members : list of (inputs.Source, inputs.Source)
        For each member, the rows of `train` that it trains on, and those that it does not: one
        pair, (train, held_out), where there are no members.
    crossed : bool
        Whether each held-out row is left out by some members only, which alone score it.
    """

    train: inputs.Source
    held_out: inputs.Source
    members: list[tuple[inputs.Source, inputs.Source]]
    crossed: bool = False

    def of_member(self, k: int) -> "HoldOut":
        """Return the rows of one member, as if there were no others."""
        return HoldOut(self.members[k][0], self.members[k][1], [self.members[k]])

    def left_out(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which members did not train on each of these held-out rows, (n, n_members)."""
        if not self.crossed:
            return np.ones((len(rows), len(self.members)), dtype=bool)
        return np.stack([row_mask(own)[rows] for _, own in self.members], axis=1)


def hold_out(
    source: inputs.Source, fraction: float, n_members: int, target_fpr: float, seed: int
) -> HoldOut:
    """Split at random into training rows (at least 2) and held-out rows (at least 1).

    Of samples that belong together (`inputs.with_groups`) all are on one side, and what is said
    here of rows is of groups. Each of several members holds out as large a share of the training
    rows, of its own. Where the common share would be too small for `target_fpr` there is none; the
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
    crossed = n_held < decisions.smallest_sample(target_fpr)
    if crossed:
        train = held_out = units.rows(order)
    else:
        order = order[n_held:]
    n = len(order)
    size = min(max(1, round(fraction * n)), n - 2)
    if crossed:
        # The scale of a few rows would be made by the very rows that it is for.
        size = min(max(size, -(-n // n_members), min(FEWEST, n // 2)), n - 2)
    members = []
    for k in range(n_members):
        left = np.take(order, np.arange(k * size, (k + 1) * size), mode="wrap")
        members.append((units.rows(np.setdiff1d(order, left)), units.rows(left)))
    return HoldOut(train, held_out, members, crossed)


def readable(source: inputs.Source) -> int:
    """Return the number of samples of a source that was read, without files that were skipped."""
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
    """Return `source`, or so many of its rows drawn at random if it has more."""
    n = source.count()
    if n <= most:
        return source
    if isinstance(source, inputs.Patches):
        return source.subsample(most, np.random.default_rng(seed))
    chosen = np.zeros(n, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(n)[:most]] = True
    return inputs.Subset(source, chosen)
