"""Scores of patches on the scale that normal images have at the same place of the image."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .scale import RobustScale

Floats = NDArray[np.float64]

#: Ends of the strips of an image, as shares of the way that a patch can go: its two borders, an
#: eighth beside each, and what is between.
_ENDS = (1e-6, 1 / 8, 7 / 8, 1 - 1e-6)
#: Scores that a place has a scale of its own from.
_FEWEST = 8
_EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class PlaceScale:
    """The scale of scores in each of 25 places of an image: 5 strips by 5.

    Edges of an object, shadows and the camera's lens make some places odder than others in all
    normal images; a defect is then found where it is odder than normal images are there.

    Attributes
    ----------
    scale : RobustScale
        By number of the place, and of all places together.
    """

    scale: RobustScale

    @classmethod
    def of(cls, places: Floats, scores: Floats) -> Self:
        """Learn from patches of normal images.

        Parameters
        ----------
        places : ndarray of shape (n, 2)
            How far down and across each patch is, 0 to 1.
        scores : ndarray of shape (n,)
            Their scores.
        """
        strips = _strips(places)
        parts = {str(k): scores[strips == k] for k in np.unique(strips)}
        enough = {name: part for name, part in parts.items() if len(part) >= _FEWEST}
        return cls(RobustScale.of({**enough, _EVERYWHERE: scores}, ()))

    def apply(self, places: Floats, scores: Floats) -> Floats:
        """Return arsinh((score - median) / spread), those of its place, for each patch; (n,).

        It is the difference around the median and a logarithm far from it, as for the members of
        a population.
        """
        known = self.scale.medians
        names = [str(k) if str(k) in known else _EVERYWHERE for k in _strips(places)]
        medians = np.array([known[name] for name in names])
        spreads = np.array([self.scale.spreads[name] for name in names])
        found: Floats = np.arcsinh((scores - medians) / spreads)
        return found

    def state(self) -> dict[str, Any]:
        """Return what a file must hold."""
        return asdict(self.scale)

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        """Return what `state` described."""
        return cls(RobustScale(**state))


def _strips(places: Floats) -> NDArray[np.int64]:
    down, across = np.digitize(places, _ENDS).T
    found: NDArray[np.int64] = 5 * down + across
    return found
