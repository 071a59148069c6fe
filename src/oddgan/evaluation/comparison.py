"""Detectors compared over many data sets: ranks and tests.

>>> import pandas as pd
>>> auroc = pd.DataFrame({"egbad": [0.9, 0.8, 0.7], "vae": [0.8, 0.6, 0.7]})
>>> compare(auroc).average_ranks
{'egbad': 1.1666666666666667, 'vae': 1.8333333333333333}
"""

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

_Floats = npt.NDArray[np.float64]

# Values and differences are rounded, or 0.9 - 0.8 and 0.8 - 0.7 would not tie.
_DECIMALS = 12


@dataclass(frozen=True)
class PairedTest:
    """Two detectors, a and b, over the same data sets.

    Parameters
    ----------
    a, b : str
    wins, ties, losses : int
        Data sets on which a is better than b, equal to it, worse than it.
    p : float
        p-value of the two-sided Wilcoxon signed-rank test.
    p_holm : float
        `p` after Holm's correction for all pairs of the comparison.
    """

    a: str
    b: str
    wins: int
    ties: int
    losses: int
    p: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Several detectors over several data sets.

    Parameters
    ----------
    n_datasets : int
    average_ranks : dict of str to float
        By detector, in the order of the table. The best on a data set has rank 1; ties share
        their mean rank.
    friedman_statistic, friedman_p : float or None
        Friedman's test that all detectors have the same ranks, by its chi-squared approximation,
        which is rough for few data sets. None for two detectors.
    pairs : tuple of PairedTest
        Every pair once, in the order of the table.
    smallest_p : float
        The smallest p that the test of a pair can give for n data sets, ``min(1, 2 / 2 ** n)``,
        when a is better on every one.
    note : str
        Says so if this is above 0.05, that is, for fewer than six data sets; else empty.
    """

    n_datasets: int
    average_ranks: dict[str, float]
    friedman_statistic: float | None
    friedman_p: float | None
    pairs: tuple[PairedTest, ...]
    smallest_p: float
    note: str

    def pair(self, a: str, b: str) -> PairedTest:
        """Return the test of two detectors, named in either order."""
        for test in self.pairs:
            if {test.a, test.b} == {a, b}:
                return test
        raise ValueError(f"no pair {a!r} and {b!r}; there are {', '.join(self.average_ranks)}")

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, ready for JSON."""
        return asdict(self)


def compare(table: pd.DataFrame, *, greater_is_better: bool = True) -> Comparison:
    """Compare detectors by a metric over data sets.

    Each data set counts as one observation, so a cell should be the mean over seeds. Data sets
    that share samples (the ten tasks of one image set) are not independent, which makes every p
    smaller than it should be.

    Pairs are tested by Wilcoxon's signed ranks with ``zero_method="zsplit"``: ties are ranked with
    the other differences, and their ranks count half for each side. For up to 13 data sets p is
    exact, from all possible signs of the differences; for more, `scipy.stats.wilcoxon` chooses
    the method.

    Parameters
    ----------
    table : DataFrame of shape (n_datasets, n_detectors)
        One row per data set or task, one column per detector; finite numbers.
    greater_is_better : bool, default=True
        False for error rates.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If there are fewer than two detectors, no data set, two detectors with the same name, or
        a cell that is not a finite number.

    References
    ----------
    Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006. Holm, A
    Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6,
    1979.
    """
    names, values = _checked(table)
    if not greater_is_better:
        values = -values
    n = len(values)
    ranks = stats.rankdata(-values, axis=1).mean(axis=0)
    statistic, p = _friedman(values)
    smallest = min(1.0, 2 / 2**n)
    note = ""
    if smallest > 0.05:
        note = (
            f"With {n} data set{'s' * (n > 1)} no pair can reach p < {smallest:.4g}, "
            "even before Holm's correction."
        )
    return Comparison(
        n_datasets=n,
        average_ranks=dict(zip(names, ranks.tolist(), strict=True)),
        friedman_statistic=statistic,
        friedman_p=p,
        pairs=_pairs(names, values),
        smallest_p=smallest,
        note=note,
    )


def _checked(table: pd.DataFrame) -> tuple[list[str], _Floats]:
    names = [str(name) for name in table.columns]
    if len(names) < 2:
        raise ValueError(f"a comparison needs two detectors or more; the table has {len(names)}")
    if len(table) == 0:
        raise ValueError("a comparison needs a data set; the table has no rows")
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise ValueError(f"the table has more than one column {duplicates[0]!r}")
    values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    missing = np.argwhere(~np.isfinite(values))
    if len(missing):
        row, column = missing[0]
        raise ValueError(
            f"{names[column]} has no finite value on {table.index[row]} "
            f"({len(missing)} such cell{'s' * (len(missing) > 1)} in the table)"
        )
    return names, values.round(_DECIMALS)


def _friedman(values: _Floats) -> tuple[float | None, float | None]:
    if values.shape[1] < 3:
        return None, None
    if (values == values[:, :1]).all():
        return 0.0, 1.0  # SciPy divides by the variance of the ranks
    result = stats.friedmanchisquare(*values.T)
    return float(result.statistic), float(result.pvalue)


def _pairs(names: list[str], values: _Floats) -> tuple[PairedTest, ...]:
    indices = list(combinations(range(len(names)), 2))
    differences = [(values[:, i] - values[:, j]).round(_DECIMALS) for i, j in indices]
    p = np.array([_signed_rank_p(d) for d in differences])
    return tuple(
        PairedTest(
            a=names[i],
            b=names[j],
            wins=int(np.sum(d > 0)),
            ties=int(np.sum(d == 0)),
            losses=int(np.sum(d < 0)),
            p=float(raw),
            p_holm=float(holm),
        )
        for (i, j), d, raw, holm in zip(indices, differences, p, _holm(p), strict=True)
    )


def _signed_rank_p(differences: _Floats) -> float:
    n = len(differences)
    if n > 13:
        return float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)
    # How SciPy handles ties among few differences depends on its version: older ones take the
    # normal approximation, whose p can be smaller than any that n signs can give.
    ranks = stats.rankdata(np.abs(differences))
    statistic = abs(ranks @ np.sign(differences))
    signs = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    possible_statistics = np.abs(signs @ np.where(differences == 0, 0, ranks))
    return float(np.mean(possible_statistics >= statistic))


def _holm(p: _Floats) -> _Floats:
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1)
    return adjusted
