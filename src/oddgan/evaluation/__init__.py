"""How good a detector is: metrics, protocols with names, and baselines beside every figure.

>>> import numpy as np
>>> from oddgan.evaluation import evaluate_scores
>>> metrics = evaluate_scores(np.array([0, 0, 0, 1]), np.array([0.1, 0.4, 0.2, 0.9]))
>>> metrics.auroc
1.0
"""

from oddgan.evaluation.baselines import BASELINES, baseline_matrix, run_baselines
from oddgan.evaluation.metrics import Metrics, evaluate_scores
from oddgan.evaluation.protocols import (
    KDD99,
    PROTOCOLS,
    Labelled,
    OneClassAnomalous,
    OneClassNormal,
    Protocol,
    Split,
    default_protocol,
    from_dict,
)
from oddgan.evaluation.tables import markdown_table, results_table

__all__ = [
    "BASELINES",
    "KDD99",
    "PROTOCOLS",
    "Labelled",
    "Metrics",
    "OneClassAnomalous",
    "OneClassNormal",
    "Protocol",
    "Split",
    "baseline_matrix",
    "default_protocol",
    "evaluate_scores",
    "from_dict",
    "markdown_table",
    "results_table",
    "run_baselines",
]
