"""One score from several detectors: p-values of each, and rules that combine them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from oddgan import decisions

Floats = NDArray[np.float64]

#: Statistics of p-values of shape (n, n_members), each of shape (n,); higher is more anomalous. The
#: arithmetic mean is that of Vovk and Wang (2020), the Cauchy combination that of Liu and Xie
#: (2020); SciPy's `combine_pvalues` has the first three.
RULES: dict[str, Callable[[Floats], Floats]] = {
    "fisher": lambda p: -2 * np.log(p).sum(axis=1),
    "stouffer": lambda p: norm.isf(p).sum(axis=1) / np.sqrt(p.shape[1]),
    "min": lambda p: -np.log(p.min(axis=1)),
    "mean": lambda p: -np.log(p.mean(axis=1)),
    # The cotangent is tan(pi (1/2 - p)), without loss of precision at small p.
    "cauchy": lambda p: (1 / np.tan(np.pi * p)).mean(axis=1),
}


@dataclass(frozen=True)
class Reference:
    """Scores of held-out normal samples, which turn a detector's scores into p-values.

    Attributes
    ----------
    scores : ndarray of shape (n,)
        Their anomaly scores, in ascending order.
    """

    scores: Floats

    @classmethod
    def fit(cls, scores: ArrayLike) -> Self:
        """Create a reference from scores in any order."""
        return cls(np.sort(np.asarray(scores, dtype=np.float64)))

    def p_value(self, scores: Floats) -> Floats:
        """Return the conformal p-values, at least 1 / (n + 1)."""
        return decisions.conformal_p_values(scores, self.scores)

    def evidence(self, scores: Floats) -> Floats:
        """Return p-values in (0, 1) for a rule, which also rank scores above all n held-out ones.

        Beyond the largest held-out score the p-value 1 / (n + 1) falls off as 1 / (1 + excess),
        the excess in units of the distance from the median to that score: a Pareto tail so heavy
        that no single member, however extreme its scores, outvotes the others. At the other end
        1 becomes 1 - 1 / (2 (n + 1)), as some rules are infinite at 1.
        """
        largest = self.scores[-1]
        unit = float(largest - np.median(self.scores)) or float(abs(largest)) or 1.0
        excess = np.maximum(scores - largest, 0) / unit
        p = self.p_value(scores) / (1 + excess)
        return np.asarray(np.minimum(p, 1 - 0.5 / (len(self.scores) + 1)), dtype=np.float64)
