"""How well anomaly maps locate defects: metrics over pixels and over regions.

>>> import numpy as np
>>> masks = np.zeros((1, 4, 4), bool)
>>> masks[0, 1:3, 1:3] = True
>>> evaluate_maps(masks, masks.astype(float)).aupro
1.0
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.metrics import auc, average_precision_score, roc_auc_score, roc_curve

_Images = npt.NDArray[Any] | Sequence[npt.ArrayLike]


@dataclass(frozen=True)
class PixelMetrics:
    """How well maps tell anomalous pixels (the positive class) from normal ones.

    Parameters
    ----------
    pixel_prevalence : float
        Share of anomalous pixels: the average precision of a map without information.
    n_regions : int
        Connected anomalous regions in all images; pixels touching at a corner are connected.
    pixel_auroc, pixel_average_precision : float
        Over all pixels of all images together, so that a large defect counts as much as many
        small ones of the same total area.
    aupro : float
        Area under the per-region overlap curve up to `max_fpr`, divided by `max_fpr`; every
        region counts the same, whatever its size. 1 is best; a map without information has about
        ``max_fpr / 2``, a constant map exactly that.
    """

    pixel_prevalence: float
    n_regions: int
    pixel_auroc: float
    pixel_average_precision: float
    aupro: float

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics as plain numbers, ready for JSON."""
        return asdict(self)


def evaluate_maps(masks: _Images, maps: _Images, *, max_fpr: float = 0.3) -> PixelMetrics:
    """Measure anomaly maps against masks of the defects.

    The per-region overlap at a threshold is the share of a region's pixels at or above it,
    averaged over all regions of all images. The curve has a point at every distinct value of the
    maps, against the share of normal pixels at or above it (images without defects included);
    straight lines join the points, also at `max_fpr`.

    Parameters
    ----------
    masks : array of shape (n, h, w), or sequence of n arrays of shape (h, w)
        1 (or True) for an anomalous pixel, 0 for a normal one; images of a sequence may differ
        in size.
    maps : array or sequence of the same shapes
        Higher is odder; finite.
    max_fpr : float in (0, 1]
        Share of normal pixels up to which the overlap is integrated.

    Returns
    -------
    PixelMetrics

    Raises
    ------
    ValueError
        If the numbers of masks and maps or the shapes of a pair differ; if a mask holds values
        other than 0 and 1, or a map is not finite; if there is no anomalous or no normal pixel;
        if `max_fpr` is out of range.

    References
    ----------
    Bergmann, Batzner, Fauser, Sattlegger and Steger, The MVTec Anomaly Detection Dataset,
    International Journal of Computer Vision 129, 2021.
    """
    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr is {max_fpr}; it must be greater than 0 and at most 1")
    pairs = list(_checked(masks, maps))
    anomalous = np.concatenate([mask.ravel() for mask, _ in pairs] or [np.empty(0, bool)])
    values = np.concatenate([image.ravel() for _, image in pairs] or [np.empty(0)])
    if anomalous.all() or not anomalous.any():
        raise ValueError(
            f"{int(anomalous.sum())} of {len(anomalous)} pixels in the masks are anomalous; "
            "both normal and anomalous pixels are needed"
        )
    weights, n_regions = _pixel_weights([mask for mask, _ in pairs])
    # With each pixel weighted by one over its region's size, the true positive rate is the mean
    # overlap: the weighted ROC curve is the exact curve, with tied pixels in one step.
    fpr, overlap, _ = roc_curve(anomalous, values, sample_weight=weights, drop_intermediate=False)
    return PixelMetrics(
        pixel_prevalence=float(anomalous.mean()),
        n_regions=n_regions,
        pixel_auroc=float(roc_auc_score(anomalous, values)),
        pixel_average_precision=float(average_precision_score(anomalous, values)),
        aupro=_area_up_to(fpr, overlap, max_fpr),
    )


def _checked(
    masks: _Images, maps: _Images
) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.floating[Any]]]]:
    if len(masks) != len(maps):
        raise ValueError(f"there are {len(masks)} masks and {len(maps)} maps")
    for i in range(len(masks)):
        mask, image = np.asarray(masks[i]), np.asarray(maps[i])
        if mask.ndim != 2 or mask.shape != image.shape:
            raise ValueError(
                f"mask {i} and map {i} must be of one shape (h, w); their shapes are "
                f"{mask.shape} and {image.shape}"
            )
        if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
            raise ValueError(f"mask {i} must hold only 0 (normal) and 1 (anomalous)")
        n_missing = int(np.sum(~np.isfinite(image)))
        if n_missing:
            raise ValueError(f"{n_missing} of {image.size} values of map {i} are NaN or infinite")
        yield mask.astype(bool), image


def _pixel_weights(masks: Sequence[npt.NDArray[np.bool_]]) -> tuple[npt.NDArray[np.float64], int]:
    """Return pixel weights (1 if normal; each region's sum to 1) and the number of regions."""
    weights, n_regions = [], 0
    for mask in masks:
        regions, n = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(regions.ravel(), minlength=n + 1)
        sizes[0] = 1
        weights.append(1 / sizes[regions].ravel())
        n_regions += n
    return np.concatenate(weights), n_regions


def _area_up_to(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], limit: float) -> float:
    """Return the mean height of the curve from 0 to `limit`."""
    within = int(np.searchsorted(x, limit, side="right"))
    if within < len(x):
        y_at_limit = np.interp(limit, x[within - 1 : within + 1], y[within - 1 : within + 1])
        x, y = np.append(x[:within], limit), np.append(y[:within], y_at_limit)
    return float(auc(x, y) / limit)
