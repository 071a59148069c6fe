"""Protocols for data with many classes: one of them is anomalous, or one of them is normal."""

from dataclasses import dataclass
from typing import ClassVar

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols.base import Protocol, Split, build_split, draw

_OFFICIAL_TEST = "the official test part tests"


@dataclass(frozen=True)
class OneClassAnomalous(Protocol):
    """One class is the anomaly, all others are normal.

    Pooled, as in EGBAD's image experiments: 80 % of the normal rows of both parts train, and the
    other 20 % and all anomalous rows test. The released code (``data/mnist.py``) draws the 80 %
    again when it builds the test part, so that most of its normal test rows were also trained on;
    here they are drawn once.

    Not pooled: the official training part without the anomaly trains, the official test part
    tests.

    Parameters
    ----------
    anomaly : int or str
        The anomalous class.
    pooled : bool
    seed : int
        Seeds the draw of the 80 %; unused if not pooled.

    References
    ----------
    Zenati et al., Efficient GAN-based anomaly detection, arXiv 1802.06222, 2018.
    """

    name: ClassVar[str] = "one-class-anomalous"
    metric: ClassVar[str] = "auprc"
    anomaly: int | str
    pooled: bool = True
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        anomalous = dataset.is_class(self.anomaly)
        clause = f"class {self.anomaly} is anomalous, all others are normal"
        if self.pooled:
            train = draw(~anomalous, 0.8, self.seed)
            parts = ("all rows are pooled, 80 % of the normal ones train", "all other rows test")
            return build_split(train, ~train, anomalous, (clause, *parts))
        if dataset.train is None:
            raise ValueError(f"{dataset.name} has no official split; use pooled=True")
        parts = ("the official training part without the anomaly trains", _OFFICIAL_TEST)
        train = dataset.train & ~anomalous
        return build_split(train, ~dataset.train, anomalous, (clause, *parts))


@dataclass(frozen=True)
class OneClassNormal(Protocol):
    """One class is normal, all others are anomalies (AnoGAN, ADGAN, Deep SVDD, ALAD).

    The class's rows of the official training part train, and the whole official test part
    tests. Pooled, as in ALAD, or without an official split, 80 % of the class's rows train
    and all other rows test.

    Parameters
    ----------
    normal : int or str
        The normal class.
    pooled : bool
        Whether to ignore an official split.
    seed : int
        Seeds the draw of the 80 %; unused with the official split.

    References
    ----------
    Deecke et al., Image anomaly detection with generative adversarial networks, ECML 2018.

    Zenati et al., Adversarially learned anomaly detection, ICDM 2018.
    """

    name: ClassVar[str] = "one-class-normal"
    metric: ClassVar[str] = "auroc"
    normal: int | str
    pooled: bool = False
    seed: int = 0

    def split(self, dataset: Dataset) -> Split:
        """See `Protocol.split`."""
        normal = dataset.is_class(self.normal)
        clause = f"class {self.normal} is normal, all others are anomalous"
        if self.pooled or dataset.train is None:
            train = draw(normal, 0.8, self.seed)
            parts = ("80 % of the normal rows train", "all other rows test")
            return build_split(train, ~train, ~normal, (clause, *parts))
        parts = ("the normal rows of the official training part train", _OFFICIAL_TEST)
        return build_split(dataset.train & normal, ~dataset.train, ~normal, (clause, *parts))
