"""Who trains and who is tested: the field's protocols as small objects with names.

Each holds plain values only: `Protocol.to_dict` and `from_dict` carry it through JSON.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from oddgan.datasets import Dataset

_Rows = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


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
    description : str
        What is anomalous, what trains, what tests.
    """

    train: _Rows
    test: _Rows
    y_test: _Rows
    flag_rate: float | None
    description: str


@dataclass(frozen=True)
class Protocol(ABC):
    """A rule that splits a data set; equal objects split it equally."""

    name: ClassVar[str]

    @abstractmethod
    def split(self, dataset: Dataset) -> Split:
        """Split the rows of a data set.

        Raises
        ------
        ValueError
            If a class or an official split is missing, or a part has no rows.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return ``name`` and the parameters as plain values."""
        return {"name": self.name, **asdict(self)}


@dataclass(frozen=True)
class OneClassAnomalous(Protocol):
    """One class is the anomaly, all others are normal.

    Pooled, as in EGBAD's image experiments: all rows are pooled, 80 % of the normal ones
    train, the other 20 % and all anomalous rows are the test. The released code
    (``data/mnist.py``) draws the 80 % anew when it builds the test part, so that most of its
    normal test rows were trained on; here they are drawn once.

    Not pooled: the official training part without the anomaly trains, the official test part
    tests.

    Parameters
    ----------
    anomaly : int or str
        The anomalous class.
    pooled : bool
    seed : int
        Which 80 %; unused if not pooled.

    References
    ----------
    Zenati et al., Efficient GAN-based anomaly detection, arXiv 1802.06222, 2018.
    """

    name: ClassVar[str] = "one-class-anomalous"
    anomaly: int | str
    pooled: bool = True
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class(self.anomaly)
        said = f"class {self.anomaly} is anomalous, all others are normal"
        if self.pooled:
            train = _draw(~anomalous, 0.8, self.seed)
            said += "; all rows pooled, 80 % of the normal ones train, all other rows test"
            return _split(train, ~train, anomalous, said)
        if dataset.train is None:
            raise ValueError(f"{dataset.name} has no official split; use pooled=True")
        said += "; official training part without the anomaly, official test part"
        return _split(dataset.train & ~anomalous, ~dataset.train, anomalous, said)


@dataclass(frozen=True)
class OneClassNormal(Protocol):
    """One class is normal, all others are anomalies (AnoGAN, ADGAN, Deep SVDD).

    The class's rows of the official training part train, and the whole official test part
    tests. Without an official split 80 % of the class's rows train and all other rows test.

    Parameters
    ----------
    normal : int or str
        The normal class.
    seed : int
        Which 80 %; unused where there is an official split.

    References
    ----------
    Deecke et al., Image anomaly detection with generative adversarial networks, ECML 2018.
    """

    name: ClassVar[str] = "one-class-normal"
    normal: int | str
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        normal = dataset.is_class(self.normal)
        said = f"class {self.normal} is normal, all others are anomalous; "
        if dataset.train is None:
            train = _draw(normal, 0.8, self.seed)
            said += "80 % of the normal rows train, all other rows test"
            return _split(train, ~train, ~normal, said)
        said += "official training and test parts"
        return _split(dataset.train & normal, ~dataset.train, ~normal, said)


@dataclass(frozen=True)
class KDD99(Protocol):
    """KDD Cup 1999, 10 % sample, as in DAGMM, EGBAD and ALAD.

    The connections labelled ``normal.`` are the anomalies, because they are the minority.
    Half of all rows is drawn and its attacks train; the other half tests; 20 % of it is
    flagged. With the released code's seed the parts have 198,361 rows to train on, 198,382
    attacks and 48,629 anomalies to test on; its cap of 20 % anomalies is not reached. Of the
    attacks tested, 86.9 % are exact copies of training rows.

    Parameters
    ----------
    seed : int
        Which half; 42 is the papers'.

    References
    ----------
    Zenati et al., arXiv 1802.06222, 2018; ``data/kdd.py`` of the released code.
    """

    name: ClassVar[str] = "kdd99"
    seed: int = 42

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class("normal.")
        # The very call of the released code, so that the rows are the same.
        half = pd.Series(anomalous).sample(frac=0.5, random_state=self.seed).index
        drawn = np.zeros(len(dataset), dtype=bool)
        drawn[half] = True
        said = (
            '"normal." connections are anomalous, attacks are normal; the attacks in one half '
            "of the rows train, the other half tests, 20 % of it is flagged"
        )
        return _split(drawn & ~anomalous, ~drawn, anomalous, said, flag_rate=0.2)


@dataclass(frozen=True)
class Labelled(Protocol):
    """A table whose rows are labelled: part of the normal rows trains, all others test.

    ADBench's semi-supervised setting, except that there only 30 % of the anomalies are tested.

    Parameters
    ----------
    anomaly : int or str
        The label of an anomaly.
    train_fraction : float in (0, 1)
    seed : int
        Which rows train.

    References
    ----------
    Han et al., ADBench: anomaly detection benchmark, NeurIPS 2022.
    """

    name: ClassVar[str] = "labelled"
    anomaly: int | str = 1
    train_fraction: float = 0.7
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class(self.anomaly)
        train = _draw(~anomalous, self.train_fraction, self.seed)
        said = (
            f"rows labelled {self.anomaly} are anomalous; {self.train_fraction:.0%} of the normal "
            "rows train, all other rows test"
        )
        return _split(train, ~train, anomalous, said)


PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol for protocol in (OneClassAnomalous, OneClassNormal, KDD99, Labelled)
}


def from_dict(values: Mapping[str, Any]) -> Protocol:
    """Build the protocol that `Protocol.to_dict` described.

    Raises
    ------
    ValueError
        If ``name`` is missing or unknown, or a parameter is not one of that protocol.
    """
    parameters = dict(values)
    name = parameters.pop("name", None)
    if name not in PROTOCOLS:
        raise ValueError(f"no protocol is called {name!r}; there are {', '.join(PROTOCOLS)}")
    try:
        return PROTOCOLS[name](**parameters)
    except TypeError as error:
        raise ValueError(f"protocol {name}: {error}") from error


def default_protocol(
    dataset: Dataset,
    anomaly: int | str | None = None,
    normal: int | str | None = None,
    seed: int = 0,
) -> Protocol:
    """Choose the usual protocol for a data set.

    Parameters
    ----------
    dataset : Dataset
    anomaly, normal : int or str, optional
        The one anomalous class (`OneClassAnomalous`; `Labelled` for a table),
        or the one normal class (`OneClassNormal`). At most one of them.
        Without either: `KDD99` for ``kddcup99``, `Labelled` for a table labelled 0 and 1.
    seed : int
        Which rows train. KDD99 keeps the papers' own seed: their split is one fixed split.

    Raises
    ------
    ValueError
        If both are given, the class does not exist, or none is given where one is needed.
    """
    if anomaly is not None and normal is not None:
        raise ValueError("give the anomalous class or the normal class, not both")
    if normal is not None:
        dataset.is_class(normal)
        return OneClassNormal(normal, seed=seed)
    if anomaly is not None:
        dataset.is_class(anomaly)
        table = dataset.kind == "table"
        return (Labelled if table else OneClassAnomalous)(anomaly, seed=seed)
    if dataset.name == "kddcup99":
        return KDD99()
    if dataset.kind == "table" and set(dataset.classes) == {0, 1}:
        return Labelled(seed=seed)
    raise ValueError(
        f"{dataset.name} does not say what is anomalous: name the anomalous class or the normal "
        f"class, one of {', '.join(map(str, dataset.classes[:50]))}"
    )


def _draw(rows: _Mask, fraction: float, seed: int) -> _Mask:
    """Draw a fraction (rounded down) of the True rows."""
    candidates = np.random.default_rng(seed).permutation(np.flatnonzero(rows))
    drawn = np.zeros_like(rows)
    # 0.7 of 180 rows is 125.99999999999999 in floating point.
    drawn[candidates[: int(len(candidates) * fraction + 1e-9)]] = True
    return drawn


def _split(
    train: _Mask, test: _Mask, anomalous: _Mask, said: str, flag_rate: float | None = None
) -> Split:
    y_test = anomalous[test].astype(np.int64)
    if not train.any() or y_test.all() or not y_test.any():
        raise ValueError(
            f"this split ({said}) has {int(train.sum())} rows to train on, and "
            f"{int((y_test == 0).sum())} normal and {int(y_test.sum())} anomalous rows to test on; "
            "none of the three may be 0"
        )
    return Split(np.flatnonzero(train), np.flatnonzero(test), y_test, flag_rate, said)
