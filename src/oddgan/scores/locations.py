"""Scores of patches and of pixels on the scale of normal images at the same location."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .scale import RobustScale

Floats = NDArray[np.float64]

#: Ends of the strips of an image, as shares of the range of patch locations: the two borders, an
#: eighth next to each, and the middle.
_ENDS = (1e-6, 1 / 8, 7 / 8, 1 - 1e-6)
#: A location with fewer scores has no scale.
_FEWEST = 8
_EVERYWHERE = "everywhere"
#: Standard deviation, in pixels, of the Gaussian that smooths a map.
_SMOOTHING = 1.0
#: The score of an image is the mean of this share of the pixels of its map, the highest ones.
TOP_PIXELS = 0.004
#: Pixels from a border within which each distance has a scale.
REACH = 24


@dataclass(frozen=True)
class LocationScale:
    """The scale of scores at each of 25 locations in an image: 5 strips by 5.

    Edges of an object, shadows and the camera's lens raise the scores at some locations in all
    normal images; a defect scores higher than normal images do at its location.

    Attributes
    ----------
    scale : RobustScale
        By number of the location, and of all locations together.
    """

    scale: RobustScale

    @classmethod
    def fit(cls, locations: Floats, scores: Floats) -> Self:
        """Fit to patches of normal images.

        Parameters
        ----------
        locations : ndarray of shape (n, 2)
            How far down and across each patch is, 0 to 1.
        scores : ndarray of shape (n,)
            Their scores.
        """
        strips = _strips(locations)
        by_location = {str(k): scores[strips == k] for k in np.unique(strips)}
        enough = {name: values for name, values in by_location.items() if len(values) >= _FEWEST}
        return cls(RobustScale.fit({**enough, _EVERYWHERE: scores}, ()))

    def apply(self, locations: Floats, scores: Floats) -> Floats:
        """Return arsinh((score - median) / spread) of each patch, by its location; (n,).

        Near the median it is linear, and far from it logarithmic, as for the members of an
        ensemble.
        """
        by_location = self.scale.medians
        names = [str(k) if str(k) in by_location else _EVERYWHERE for k in _strips(locations)]
        medians = np.array([by_location[name] for name in names])
        spreads = np.array([self.scale.spreads[name] for name in names])
        scaled: Floats = np.arcsinh((scores - medians) / spreads)
        return scaled

    def to_state(self) -> dict[str, Any]:
        """Return the values to save."""
        return asdict(self.scale)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the scale whose `to_state` gave `state`."""
        return cls(RobustScale(**state))


def _strips(locations: Floats) -> NDArray[np.int64]:
    down, across = np.digitize(locations, _ENDS).T
    strips: NDArray[np.int64] = 5 * down + across
    return strips


@dataclass(frozen=True)
class MapScale:
    """The score of an image from its anomaly map, each pixel on the scale of its location.

    The location of a pixel is its nearest border (upper, lower, left, right; the first of equally
    near ones) and its distance from it in pixels; all pixels at least `reach` away share one.

    Attributes
    ----------
    means, deviations : tuple of float, 4 * `reach` + 1 each
        Of smoothed normal maps, by location: border by border, then the rest.
    reach : int
        0 is one scale for all locations.
    """

    means: tuple[float, ...]
    deviations: tuple[float, ...]
    reach: int

    @classmethod
    def fit(cls, maps: Iterable[Floats], reach: int) -> Self:
        """Fit to the maps of normal images, each (h, w), of any sizes."""
        n, sums, squares = np.zeros((3, 4 * reach + 1))
        for anomaly_map in maps:
            locations = _by_border(anomaly_map.shape, reach).ravel()
            values = _smoothed(anomaly_map).ravel()
            n += np.bincount(locations, minlength=len(n))
            sums += np.bincount(locations, values, len(n))
            squares += np.bincount(locations, values**2, len(n))
        # A location that occurs in no image, or seldom, gets the scale of all locations together.
        rare = n < _FEWEST
        n[rare], sums[rare], squares[rare] = n.sum(), sums.sum(), squares.sum()
        means = sums / n
        deviations = np.sqrt(np.maximum(squares / n - means**2, 0))
        deviations[deviations == 0] = deviations.max() or 1.0
        return cls(tuple(means.tolist()), tuple(deviations.tolist()), reach)

    def apply(self, anomaly_map: Floats) -> Floats:
        """Return the smoothed map (h, w) as (value - mean) / deviation of each location."""
        locations = _by_border(anomaly_map.shape, self.reach)
        means, deviations = np.array(self.means), np.array(self.deviations)
        scaled: Floats = (_smoothed(anomaly_map) - means[locations]) / deviations[locations]
        return scaled

    def score(self, anomaly_map: Floats) -> float:
        """Return the mean of the highest `TOP_PIXELS` of `apply`, at least one pixel."""
        scaled = self.apply(anomaly_map)
        n = max(1, round(TOP_PIXELS * scaled.size))
        return float(np.partition(scaled.ravel(), scaled.size - n)[scaled.size - n :].mean())

    def to_state(self) -> dict[str, Any]:
        """Return the values to save."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the scale whose `to_state` gave `state`."""
        return cls(tuple(state["means"]), tuple(state["deviations"]), state["reach"])


def location_scale_from_state(state: dict[str, Any]) -> LocationScale | MapScale:
    """Return the scale whose `to_state` gave `state`."""
    return MapScale.from_state(state) if "reach" in state else LocationScale.from_state(state)


def _smoothed(anomaly_map: Floats) -> Floats:
    smoothed: Floats = gaussian_filter(anomaly_map.astype(np.float64), _SMOOTHING, mode="reflect")
    return smoothed


def _by_border(shape: tuple[int, ...], reach: int) -> NDArray[np.int64]:
    """Return the number of each pixel's location."""
    (h, w), (y, x) = shape, np.indices(shape)
    distances = np.stack([y, h - 1 - y, x, w - 1 - x])
    nearest = distances.min(0)
    return np.where(nearest < reach, distances.argmin(0) * reach + nearest, 4 * reach)
