"""How good a detector is: metrics, named protocols, and baselines to compare with.

>>> import numpy as np
>>> from oddgan.evaluation import evaluate_scores
>>> metrics = evaluate_scores(np.array([0, 0, 0, 1]), np.array([0.1, 0.4, 0.2, 0.9]))
>>> metrics.auroc
1.0

`oddgan.bench` runs whole experiments.
"""

from oddgan.evaluation._matrices import baseline_matrix
from oddgan.evaluation.baselines import BASELINES, Baseline, run_baselines
from oddgan.evaluation.comparison import Comparison, PairedTest, compare
from oddgan.evaluation.intervals import PairedDifference, bootstrap_intervals, paired_difference
from oddgan.evaluation.maps import PixelMetrics, evaluate_maps
from oddgan.evaluation.metrics import LOWER_IS_BETTER, METRICS, Metrics, evaluate_scores
from oddgan.evaluation.promises import Promises, evaluate_promises
from oddgan.evaluation.protocols import (
    KDD99,
    PROTOCOLS,
    Contaminated,
    DefectFree,
    Labelled,
    OneClassAnomalous,
    OneClassNormal,
    Protocol,
    RandomHalf,
    Split,
    default_protocol,
    from_dict,
)
from oddgan.evaluation.published import Published, published
from oddgan.evaluation.tables import (
    INTERVAL_METRICS,
    intervals_table,
    markdown_intervals,
    markdown_table,
    results_table,
)
from oddgan.evaluation.third_party import (
    THIRD_PARTY_DETECTORS,
    ThirdPartyDetector,
    available_third_party,
    run_third_party,
)

__all__ = [
    "BASELINES",
    "INTERVAL_METRICS",
    "KDD99",
    "LOWER_IS_BETTER",
    "METRICS",
    "PROTOCOLS",
    "THIRD_PARTY_DETECTORS",
    "Baseline",
    "Comparison",
    "Contaminated",
    "DefectFree",
    "Labelled",
    "Metrics",
    "OneClassAnomalous",
    "OneClassNormal",
    "PairedDifference",
    "PairedTest",
    "PixelMetrics",
    "Promises",
    "Protocol",
    "Published",
    "RandomHalf",
    "Split",
    "ThirdPartyDetector",
    "available_third_party",
    "baseline_matrix",
    "bootstrap_intervals",
    "compare",
    "default_protocol",
    "evaluate_maps",
    "evaluate_promises",
    "evaluate_scores",
    "from_dict",
    "intervals_table",
    "markdown_intervals",
    "markdown_table",
    "paired_difference",
    "published",
    "results_table",
    "run_baselines",
    "run_third_party",
]
