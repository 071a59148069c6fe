"""Decisions: from anomaly scores to thresholds and p-values, by held-out normal samples."""

from .conformal import conformal_p_values, conformal_threshold, smallest_sample

__all__ = ["conformal_p_values", "conformal_threshold", "smallest_sample"]
