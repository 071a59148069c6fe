"""Scores: what can be measured between samples, and how parts become one anomaly score."""

from .parts import Score, binary_cross_entropy, distance
from .scale import Scale

__all__ = ["Scale", "Score", "binary_cross_entropy", "distance"]
