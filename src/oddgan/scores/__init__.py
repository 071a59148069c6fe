"""Scores: what can be measured between samples, and how parts become one anomaly score."""

from .parts import Score, binary_cross_entropy, distance
from .scale import Scale
from .search import Descent, Found, latent_search

__all__ = [
    "Descent",
    "Found",
    "Scale",
    "Score",
    "binary_cross_entropy",
    "distance",
    "latent_search",
]
