"""The base class of protocols, and the split that a protocol returns."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from oddgan.datasets import Dataset

Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to test on.

    Parameters
    ----------
    train, test : int array
        Row numbers, ascending; no row is in both.
    y_test : int array
        1 for an anomaly, 0 for a normal row of `test`.
    flag_rate : float or None
        The share of the test rows that the protocol flags; None for their prevalence.
    anomalous, training, testing : str
        What is anomalous, what trains, what tests: one clause each, without a full stop.
    contaminating : int array
        The rows of `train` that are anomalies; only `Contaminated` has any.
    """

    train: Rows
    test: Rows
    y_test: Rows
    flag_rate: float | None
    anomalous: str
    training: str = ""
    testing: str = ""
    contaminating: Rows = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def description(self) -> str:
        """What is anomalous, what trains, what tests, in one line."""
        return "; ".join(filter(None, (self.anomalous, self.training, self.testing)))

    @property
    def prevalence(self) -> float:
        """The share of anomalies among the test rows, 0 to 1."""
        return float(np.mean(self.y_test))

    def statement(self, protocol: "Protocol") -> dict[str, Any]:
        """Return the facts about the split that a table of results must state, as plain values.

        Parameters
        ----------
        protocol : Protocol
            The protocol of this split.

        Returns
        -------
        dict
            ``anomalous``, ``training`` and ``testing`` (clauses), ``n_train``, ``n_test``,
            ``prevalence`` (0 to 1) and ``metric`` (a field of `Metrics`).
        """
        return {
            "anomalous": self.anomalous,
            "training": self.training,
            "testing": self.testing,
            "n_train": len(self.train),
            "n_test": len(self.test),
            "prevalence": self.prevalence,
            "metric": protocol.metric,
        }

    def limited(self, train: int | None = None, test: int | None = None, seed: int = 0) -> "Split":
        """Return this split with fewer rows, drawn with the same share of anomalies.

        Parameters
        ----------
        train, test : int, optional
            The most training and test rows; smaller parts stay unchanged. Anomalies keep their
            share up to rounding, and at least one row of each kind stays.
        seed : int
            Seeds the draw.

        Returns
        -------
        Split
            Its clauses state how many rows were drawn from how many.

        Raises
        ------
        ValueError
            If a limit is too low for one row of each kind.
        """
        contaminating = np.isin(self.train, self.contaminating)
        train_rows = _stratified(contaminating, train, seed, "training")
        test_rows = _stratified(self.y_test == 1, test, seed, "test")
        return replace(
            self,
            train=self.train[train_rows],
            test=self.test[test_rows],
            y_test=self.y_test[test_rows],
            contaminating=self.train[train_rows[contaminating[train_rows]]],
            training=self.training + _subsampling(train_rows, self.train, "training", seed),
            testing=self.testing + _subsampling(test_rows, self.test, "test", seed),
        )


#: Every protocol by name: `Contaminated` holds another one.
_BY_NAME: dict[str, "type[Protocol]"] = {}


@dataclass(frozen=True)
class Protocol(ABC):
    """A rule that splits a data set; equal objects give equal splits."""

    name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in vars(cls):
            _BY_NAME[cls.name] = cls

    @property
    @abstractmethod
    def metric(self) -> str:
        """The field of `Metrics` that the protocol's papers report."""

    @abstractmethod
    def split(self, dataset: Dataset) -> Split:
        """Split the rows of a data set.

        Raises
        ------
        ValueError
            If a class or an official split is missing, or a part would be empty.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return ``name`` and the parameters as plain values."""
        return {"name": self.name, **asdict(self)}


def from_dict(values: Mapping[str, Any]) -> Protocol:
    """Build a protocol from the values of `Protocol.to_dict`.

    Raises
    ------
    ValueError
        If ``name`` is missing or unknown, or the protocol does not have a parameter.
    """
    parameters = dict(values)
    name = parameters.pop("name", None)
    if name not in _BY_NAME:
        raise ValueError(f"no protocol is called {name!r}; there are {', '.join(_BY_NAME)}")
    try:
        return _BY_NAME[name](**parameters)
    except TypeError as error:
        raise ValueError(f"protocol {name}: {error}") from error


def draw(rows: Mask, fraction: float, seed: int) -> Mask:
    """Draw a fraction (rounded down) of the True rows; return a mask."""
    candidates = np.random.default_rng(seed).permutation(np.flatnonzero(rows))
    selected = np.zeros_like(rows)
    # 0.7 of 180 rows is 125.99999999999999 in floating point.
    selected[candidates[: int(len(candidates) * fraction + 1e-9)]] = True
    return selected


def build_split(
    train: Mask,
    test: Mask,
    anomalous: Mask,
    clauses: tuple[str, str, str],
    flag_rate: float | None = None,
) -> Split:
    """Build a split from masks over all rows and its three clauses.

    Raises
    ------
    ValueError
        If there is nothing to train on, or no normal or no anomalous row to test on.
    """
    y_test = anomalous[test].astype(np.int64)
    split = Split(np.flatnonzero(train), np.flatnonzero(test), y_test, flag_rate, *clauses)
    if not train.any() or y_test.all() or not y_test.any():
        raise ValueError(
            f"this split ({split.description}) has {int(train.sum())} rows to train on, and "
            f"{int((y_test == 0).sum())} normal and {int(y_test.sum())} anomalous rows to test on; "
            "none of the three may be 0"
        )
    return split


def _stratified(anomalous: Mask, limit: int | None, seed: int, part: str) -> Rows:
    """Draw at most `limit` positions, ascending; both kinds keep their share and at least one."""
    if limit is None or limit >= len(anomalous):
        return np.arange(len(anomalous))
    kinds = [np.flatnonzero(kind) for kind in (anomalous, ~anomalous)]
    needed = sum(len(kind) > 0 for kind in kinds)
    if limit < needed:
        raise ValueError(
            f"a limit of {limit} {part} rows is too low: it must be at least {needed}, one for "
            "each kind of row"
        )
    n_anomalies = round(limit * len(kinds[0]) / len(anomalous))
    if anomalous.any():
        n_anomalies = min(max(n_anomalies, 1), limit - 1) if len(kinds[1]) else limit
    rng = np.random.default_rng(seed)
    counts = (n_anomalies, limit - n_anomalies)
    positions = [rng.permutation(kind)[:n] for kind, n in zip(kinds, counts, strict=True)]
    return np.sort(np.concatenate(positions))


def _subsampling(rows: Rows, all_rows: Rows, part: str, seed: int) -> str:
    """Describe the subsampling of a part; an empty text if all its rows stay."""
    if len(rows) == len(all_rows):
        return ""
    return f" ({len(rows):,} of {len(all_rows):,} {part} rows, drawn by seed {seed})"
