"""Protocols for tables whose rows are labelled."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols.base import Mask, Protocol, Split, build_split, draw

Tested = Literal["all", "drawn"]


@dataclass(frozen=True)
class KDD99(Protocol):
    """KDD Cup 1999, 10 % sample, as in DAGMM, EGBAD and ALAD.

    The connections labelled ``normal.`` are the anomalies, because they are the minority. The
    attacks in a random half of all rows train; the other half tests, and 20 % of it is flagged.
    With the released code's seed 198,361 rows train, and 198,382 attacks and 48,629 anomalies
    test; its cap of 20 % anomalies is not reached. 86.9 % of the attacks tested are exact copies
    of training rows.

    Parameters
    ----------
    seed : int
        Seeds the draw of the half; 42 is the papers' seed.

    References
    ----------
    Zenati et al., arXiv 1802.06222, 2018; ``data/kdd.py`` of the released code.
    """

    name: ClassVar[str] = "kdd99"
    metric: ClassVar[str] = "f1_at_rate"
    seed: int = 42

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class("normal.")
        half = _half(len(dataset), self.seed)
        clauses = (
            '"normal." connections are anomalous, attacks are normal',
            "the attacks in one half of the rows train",
            "the other half tests, 20 % of it is flagged",
        )
        return build_split(half & ~anomalous, ~half, anomalous, clauses, flag_rate=0.2)


@dataclass(frozen=True)
class RandomHalf(Protocol):
    """The normal rows in a random half of all rows train; the other half tests (DAGMM, ALAD).

    The papers use it for Thyroid, where they flag 2.5 %, and for Arrhythmia, where they flag 15 %.
    Anomalies in the first half are left out.

    Parameters
    ----------
    flag_rate : float in (0, 1]
        The share of the test rows to flag: those with the highest scores.
    anomaly : int or str
        The label of an anomaly.
    seed : int
        Seeds the draw of the half.

    Raises
    ------
    ValueError
        If `flag_rate` is out of range.

    References
    ----------
    Zong et al., Deep autoencoding Gaussian mixture model for unsupervised anomaly detection,
    ICLR 2018.
    """

    name: ClassVar[str] = "dagmm"
    metric: ClassVar[str] = "f1_at_rate"
    flag_rate: float
    anomaly: int | str = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.flag_rate <= 1:
            raise ValueError(
                f"protocol {self.name}: flag_rate is {self.flag_rate}; it must be above 0 and at "
                "most 1"
            )

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class(self.anomaly)
        half = _half(len(dataset), self.seed)
        clauses = (
            f"rows labelled {self.anomaly} are anomalous",
            "the normal rows in one half of the rows train",
            f"the other half tests, {_percent(self.flag_rate)} of it is flagged",
        )
        return build_split(half & ~anomalous, ~half, anomalous, clauses, self.flag_rate)


@dataclass(frozen=True)
class Labelled(Protocol):
    """A table whose rows are labelled: part of the normal rows trains.

    ADBench's semi-supervised setting. Its code draws a stratified 30 % of all rows to test on, and
    so tests 30 % of the anomalies (``tested_anomalies="drawn"``); here all anomalies test by
    default. Unlike here, ADBench first draws 1,000 rows with replacement from tables with fewer
    rows, so that test rows may be copies of training rows, and 10,000 rows from larger tables (see
    `Split.limited`).

    Parameters
    ----------
    anomaly : int or str
        The label of an anomaly.
    train_fraction : float in (0, 1)
        The share of the normal rows that trains; for ``"drawn"`` the share of all rows, which is
        the same up to rounding.
    tested_anomalies : {"all", "drawn"}
        Which anomalies test: all of them, or the same share as of the normal rows; the others are
        left out.
    seed : int
        Seeds the draw of the training rows.

    Raises
    ------
    ValueError
        If `tested_anomalies` is neither ``"all"`` nor ``"drawn"``.

    References
    ----------
    Han et al., ADBench: anomaly detection benchmark, NeurIPS 2022;
    ``adbench/datasets/data_generator.py`` of the released code.
    """

    name: ClassVar[str] = "labelled"
    metric: ClassVar[str] = "auroc"
    anomaly: int | str = 1
    train_fraction: float = 0.7
    seed: int = 0
    tested_anomalies: Tested = "all"

    def __post_init__(self) -> None:
        if self.tested_anomalies not in get_args(Tested):
            raise ValueError(
                f"protocol {self.name}: tested_anomalies is {self.tested_anomalies!r}; it must be "
                "'all' or 'drawn'"
            )

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class(self.anomaly)
        share = _percent(self.train_fraction)
        training = f"{share} of the normal rows train"
        if self.tested_anomalies == "all":
            train = draw(~anomalous, self.train_fraction, self.seed)
            test, testing = ~train, "all other rows test"
        else:
            test = self._stratified(anomalous)
            train = ~test & ~anomalous
            testing = f"the other normal rows and {_percent(1 - self.train_fraction)} of the "
            testing += "anomalies test"
        clauses = (f"rows labelled {self.anomaly} are anomalous", training, testing)
        return build_split(train, test, anomalous, clauses)

    def _stratified(self, anomalous: Mask) -> Mask:
        test = np.zeros_like(anomalous)
        try:
            _, rows = train_test_split(
                np.arange(len(anomalous)),
                # 1 - 0.7 is 0.30000000000000004, and scikit-learn rounds up.
                test_size=round(1 - self.train_fraction, 12),
                stratify=anomalous,
                random_state=self.seed,
            )
        except ValueError as error:
            raise ValueError(
                f"protocol {self.name}: {self.train_fraction} of {len(anomalous)} rows with "
                f"{int(anomalous.sum())} anomalies cannot be drawn: {error}"
            ) from error
        test[rows] = True
        return test


def _half(n: int, seed: int) -> Mask:
    """Draw half of n rows with the same call as the papers' released code; return a mask."""
    half = np.zeros(n, dtype=bool)
    half[pd.RangeIndex(n).to_series().sample(frac=0.5, random_state=seed)] = True
    return half


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
