"""Scores: distances and densities of samples, and how components become one anomaly score.

- :mod:`.score`: the components of a detector's own score.
- :mod:`.shared`: components that any detector may have, by :mod:`.gaussian` (Mahalanobis
  distance) and :mod:`.neighbours` (nearest neighbours).
- :mod:`.scale`: the scale of components; :mod:`.locations`: the scale at each location of an image.
- :mod:`.mixture`: mixture of Gaussians in a latent space; :mod:`.search`: latent search.
"""

from .gaussian import Gaussian
from .locations import REACH, LocationScale, MapScale, location_scale_from_state
from .mixture import Mixture, energy, estimate_mixture
from .neighbours import N_NEIGHBOURS, NeighborIndex, finite_rows
from .scale import RobustScale, Scale
from .score import Score, binary_cross_entropy, distance
from .search import Descent, SearchResult, latent_search
from .shared import COMBINATIONS, SHARED_COMPONENTS, FittedComponents, check_length, spaces_needed

__all__ = [
    "COMBINATIONS",
    "N_NEIGHBOURS",
    "REACH",
    "SHARED_COMPONENTS",
    "Descent",
    "FittedComponents",
    "Gaussian",
    "LocationScale",
    "MapScale",
    "Mixture",
    "NeighborIndex",
    "RobustScale",
    "Scale",
    "Score",
    "SearchResult",
    "binary_cross_entropy",
    "check_length",
    "distance",
    "energy",
    "estimate_mixture",
    "finite_rows",
    "latent_search",
    "location_scale_from_state",
    "spaces_needed",
]
