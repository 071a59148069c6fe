"""Scores: what can be measured between samples, and how parts become one anomaly score."""

from .gaussian import Gaussian
from .mixture import Mixture, energy, estimate_mixture
from .neighbours import N_NEIGHBOURS, References, finite_rows
from .parts import Score, binary_cross_entropy, distance
from .places import REACH, MapScale, PlaceScale, load_places
from .scale import RobustScale, Scale
from .search import Descent, Found, latent_search
from .shared import COMBINATIONS, SHARED_PARTS, Learnt, check_length, spaces_needed

__all__ = [
    "COMBINATIONS",
    "N_NEIGHBOURS",
    "REACH",
    "SHARED_PARTS",
    "Descent",
    "Found",
    "Gaussian",
    "Learnt",
    "MapScale",
    "Mixture",
    "PlaceScale",
    "References",
    "RobustScale",
    "Scale",
    "Score",
    "binary_cross_entropy",
    "check_length",
    "distance",
    "energy",
    "estimate_mixture",
    "finite_rows",
    "latent_search",
    "load_places",
    "spaces_needed",
]
