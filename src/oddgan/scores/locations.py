"""Scores of patches, and of pixels, on the scale that normal images have at the same place."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .scale import RobustScale

Floats = NDArray[np.float64]

#: Ends of the strips of an image, as shares of the way that a patch can go: its two borders, an
#: eighth beside each, and what is between.
_ENDS = (1e-6, 1 / 8, 7 / 8, 1 - 1e-6)
#: Scores that a place has a scale of its own from.
_FEWEST = 8
_EVERYWHERE = "everywhere"
#: Deviation, in pixels, of the Gaussian that a map is smoothed by before its greatest values count.
_SMOOTHING = 1.0
#: Share of a map's pixels whose mean is the score of the image.
TOP_PIXELS = 0.004
#: Pixels from a border within which each distance has a scale of its own.
REACH = 24


@dataclass(frozen=True)
class LocationScale:
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
    def fit(cls, places: Floats, scores: Floats) -> Self:
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
        return cls(RobustScale.fit({**enough, _EVERYWHERE: scores}, ()))

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

    def to_state(self) -> dict[str, Any]:
        """Return what a file must hold."""
        return asdict(self.scale)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return what `to_state` described."""
        return cls(RobustScale(**state))


def _strips(places: Floats) -> NDArray[np.int64]:
    down, across = np.digitize(places, _ENDS).T
    found: NDArray[np.int64] = 5 * down + across
    return found


@dataclass(frozen=True)
class MapScale:
    """The score of an image by its map, each pixel on the scale of its place.

    The place of a pixel is the border that is nearest (upper, lower, left, right, the first of
    equally near ones) and how many pixels it is away; from `reach` on all places are one.

    Attributes
    ----------
    means, deviations : tuple of float, 4 * `reach` + 1 each
        Of smoothed normal maps, by place: those of one border after the other, then the rest.
    reach : int
        0 is one scale for all places.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    reach: int

    @classmethod
    def fit(cls, maps: Iterable[Floats], reach: int) -> Self:
        """Learn from the maps of normal images, each (h, w), of any sizes."""
        n, sums, squares = np.zeros((3, 4 * reach + 1))
        for one in maps:
            places, values = _by_border(one.shape, reach).ravel(), _smoothed(one).ravel()
            n += np.bincount(places, minlength=len(n))
            sums += np.bincount(places, values, len(n))
            squares += np.bincount(places, values**2, len(n))
        # A place that no image was large enough to have is as all places together.
        fewest = n < _FEWEST
        n[fewest], sums[fewest], squares[fewest] = n.sum(), sums.sum(), squares.sum()
        means = sums / n
        deviations = np.sqrt(np.maximum(squares / n - means**2, 0))
        deviations[deviations == 0] = deviations.max() or 1.0
        return cls(tuple(means.tolist()), tuple(deviations.tolist()), reach)

    def apply(self, one: Floats) -> Floats:
        """Return a map (h, w), smoothed, as (value - mean) / deviation, those of each place."""
        places, values = _by_border(one.shape, self.reach), _smoothed(one)
        odd: Floats = (values - np.array(self.means)[places]) / np.array(self.deviations)[places]
        return odd

    def score(self, one: Floats) -> float:
        """Return the mean of the greatest `TOP_PIXELS` of `apply`, at least one pixel."""
        odd = self.apply(one)
        n = max(1, round(TOP_PIXELS * odd.size))
        return float(np.partition(odd.ravel(), odd.size - n)[odd.size - n :].mean())

    def to_state(self) -> dict[str, Any]:
        """Return what a file must hold."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return what `to_state` described."""
        return cls(tuple(state["means"]), tuple(state["deviations"]), state["reach"])


def location_scale_from_state(state: dict[str, Any]) -> LocationScale | MapScale:
    """Return the scale that `to_state` described."""
    return MapScale.from_state(state) if "reach" in state else LocationScale.from_state(state)


def _smoothed(one: Floats) -> Floats:
    found: Floats = gaussian_filter(one.astype(np.float64), _SMOOTHING, mode="reflect")
    return found


def _by_border(shape: tuple[int, ...], reach: int) -> NDArray[np.int64]:
    """Return the number of each pixel's place."""
    (h, w), (y, x) = shape, np.indices(shape)
    away = np.stack([y, h - 1 - y, x, w - 1 - x])
    nearest = away.min(0)
    return np.where(nearest < reach, away.argmin(0) * reach + nearest, 4 * reach)
