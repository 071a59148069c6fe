"""Scores: what can be measured between samples, and how parts become one anomaly score."""

from .mixture import Mixture, energy, estimate_mixture
from .parts import Score, binary_cross_entropy, distance
from .scale import Scale
from .search import Descent, Found, latent_search

__all__ = [
    "Descent",
    "Found",
    "Mixture",
    "Scale",
    "Score",
    "binary_cross_entropy",
    "distance",
    "energy",
    "estimate_mixture",
    "latent_search",
]
