"""Who trains and who is tested: the field's protocols as small objects with names.

Each holds plain values only: `Protocol.to_dict` and `from_dict` carry it through JSON.
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
