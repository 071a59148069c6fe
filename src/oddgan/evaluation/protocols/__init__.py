"""Evaluation protocols: named rules that split a data set into training and test rows.

Their parameters are plain values: `Protocol.to_dict` and `from_dict` convert them for JSON.
"""

from oddgan.evaluation.protocols.base import Protocol, Split, from_dict
from oddgan.evaluation.protocols.catalogue import PROTOCOLS, default_protocol
from oddgan.evaluation.protocols.classes import OneClassAnomalous, OneClassNormal
from oddgan.evaluation.protocols.contaminated import Contaminated
from oddgan.evaluation.protocols.images import DefectFree
from oddgan.evaluation.protocols.tables import KDD99, Labelled, RandomHalf

__all__ = [
    "KDD99",
    "PROTOCOLS",
    "Contaminated",
    "DefectFree",
    "Labelled",
    "OneClassAnomalous",
    "OneClassNormal",
    "Protocol",
    "RandomHalf",
    "Split",
    "default_protocol",
    "from_dict",
]
