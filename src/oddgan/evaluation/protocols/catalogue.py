"""The protocols by name, and the usual one for a data set."""

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols.base import Protocol
from oddgan.evaluation.protocols.classes import OneClassAnomalous, OneClassNormal
from oddgan.evaluation.protocols.contaminated import Contaminated
from oddgan.evaluation.protocols.images import DefectFree
from oddgan.evaluation.protocols.tables import KDD99, Labelled, RandomHalf

#: The protocols by name; importing them registers them.
PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol
    for protocol in (
        OneClassAnomalous,
        OneClassNormal,
        KDD99,
        RandomHalf,
        Labelled,
        DefectFree,
        Contaminated,
    )
}


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
        or the one normal class (`OneClassNormal`; `DefectFree` if the data set says which images
        show the same part). At most one of them.
        Without either: `KDD99` for ``kddcup99``, `RandomHalf` for ``arrhythmia``, `DefectFree`
        for ``magnetic-tile``, `Labelled` for any other table labelled 0 and 1.
    seed : int
        Seeds the draw of the training rows. `KDD99` keeps the papers' seed: their split is fixed.

    Raises
    ------
    ValueError
        If both are given, the class does not exist, or none is given where one is needed.
    """
    if anomaly is not None and normal is not None:
        raise ValueError("give the anomalous class or the normal class, not both")
    if normal is not None:
        dataset.is_class(normal)
        protocol = OneClassNormal if dataset.groups is None else DefectFree
        return protocol(normal, seed=seed)
    if anomaly is not None:
        dataset.is_class(anomaly)
        by_class = Labelled if dataset.kind == "table" else OneClassAnomalous
        return by_class(anomaly, seed=seed)
    if dataset.name == "kddcup99":
        return KDD99()
    if dataset.name == "arrhythmia":
        return RandomHalf(flag_rate=0.15, seed=seed)
    if dataset.name == "magnetic-tile":
        return DefectFree(seed=seed)
    if dataset.kind == "table" and set(dataset.classes) == {0, 1}:
        return Labelled(seed=seed)
    raise ValueError(
        f"{dataset.name} does not say what is anomalous: name the anomalous class or the normal "
        f"class, one of {', '.join(map(str, dataset.classes[:50]))}"
    )
