"""Scores: what can be measured between samples, and how parts become one anomaly score."""

from .parts import Score, binary_cross_entropy, distance, weighted_sum

__all__ = ["Score", "binary_cross_entropy", "distance", "weighted_sum"]
