"""Responses for scored samples, as JSON."""

import json
from typing import Any

import numpy as np

from oddgan import decisions
from oddgan.estimator import stored_threshold

from .models import Model
from .samples import Samples
from .worker import Answer


def body(model: Model, samples: Samples, answer: Answer) -> tuple[bytes, int]:
    """Return the body of a response, and the number of flagged samples."""
    detector, scores = model.detector, answer.scores
    p_values = decisions.conformal_p_values(scores, detector.calibration_scores_)
    flagged = scores > detector.threshold_
    columns: dict[str, Any] = {
        "sample": samples.names or range(len(scores)),
        "anomaly_score": scores.tolist(),
        "p_value": p_values.tolist(),
    }
    if hasattr(detector, "proba_calibration_"):
        columns["probability"] = detector.proba_calibration_.probability(scores).tolist()
    columns["flagged"] = flagged.tolist()
    columns["explanation"] = answer.explanations or len(scores) * [None]
    n_flagged = int(np.count_nonzero(flagged))
    content = {
        "model": model.name,
        "kind": model.kind,
        "threshold": stored_threshold(detector.threshold_),
        "n": len(scores),
        "flagged": n_flagged,
        "samples": [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ],
    }
    return json.dumps(content, allow_nan=False).encode(), n_flagged
