"""Any protocol with anomalies among the training rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols.base import Protocol, Rows, Split, from_dict


@dataclass(frozen=True)
class Contaminated(Protocol):
    """Another protocol, with anomalies moved from its test part into its training part.

    It shows how a method copes with training data that are less clean than believed. For one seed,
    the anomalies moved at a lower rate are among those moved at a higher one. If rows belong to
    parts (`Dataset.groups`), anomalies are moved part by part, and the other rows of these parts
    are left out of the test.

    Parameters
    ----------
    base : Protocol or mapping
        The other protocol, or its `Protocol.to_dict`.
    rate : float in [0, 1)
        The share of anomalies among the training rows, to the nearest row.
    seed : int
        Seeds the draw of the anomalies.

    Raises
    ------
    ValueError
        If the rate is out of range, or `base` is itself `Contaminated`.
    """

    name: ClassVar[str] = "contaminated"
    base: Protocol
    rate: float
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.base, Mapping):
            object.__setattr__(self, "base", from_dict(self.base))
        if not isinstance(self.base, Protocol) or isinstance(self.base, Contaminated):
            raise ValueError(f"protocol {self.name}: base is {self.base!r}, not another protocol")
        if not 0 <= self.rate < 1:
            raise ValueError(f"protocol {self.name}: rate is {self.rate}; it must be in [0, 1)")

    @property
    def metric(self) -> str:
        """The metric of the other protocol."""
        return self.base.metric

    def to_dict(self) -> dict[str, Any]:
        """Return ``name`` and the parameters as plain values."""
        base = self.base.to_dict()
        return {"name": self.name, "base": base, "rate": self.rate, "seed": self.seed}

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`; also raise ValueError if too few anomalies would move or test."""
        clean = self.base.split(dataset)
        moved = self._moved(clean, dataset.groups)
        tested = ~np.isin(clean.test, moved)
        training = f"{clean.training}, and with them {len(moved):,} anomalies of the test part, "
        training += f"{100 * self.rate:.4g} % of the training rows"
        testing = clean.testing + ", except those anomalies"
        if dataset.groups is not None:
            tested &= ~np.isin(dataset.groups[clean.test], dataset.groups[moved])
            testing += " and the other rows of their parts"
        y_test = clean.y_test[tested]
        if y_test.all() or not y_test.any():
            raise ValueError(
                f"protocol {self.name}: {len(moved)} of the {int(clean.y_test.sum())} anomalies "
                f"of the test part would train, and {int(y_test.sum())} anomalous and "
                f"{int((y_test == 0).sum())} normal rows be left to test on; neither may be 0"
            )
        return replace(
            clean,
            train=np.sort(np.concatenate([clean.train, moved])),
            test=clean.test[tested],
            y_test=y_test,
            training=training,
            testing=testing,
            contaminating=moved,
        )

    def _moved(self, clean: Split, groups: Rows | None) -> Rows:
        """Draw the anomalies that move, ascending."""
        count = round(len(clean.train) * self.rate / (1 - self.rate))
        anomalies = clean.test[clean.y_test == 1]
        if count > len(anomalies) or (self.rate > 0 and count == 0):
            raise ValueError(
                f"protocol {self.name}: a rate of {self.rate} beside {len(clean.train)} normal "
                f"training rows is {count} anomalies; it must be at least 1 and at most the "
                f"{len(anomalies)} of the test part"
            )
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(anomalies)
        if groups is not None:
            rank = {part: i for i, part in enumerate(rng.permutation(np.unique(groups[order])))}
            order = order[np.argsort([rank[part] for part in groups[order]], kind="stable")]
        return np.sort(order[:count])
