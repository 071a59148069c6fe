"""From trained networks to a fitted detector: scales, thresholds and the health of the fit."""

import importlib.metadata
import platform
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddgan import decisions, inputs
from oddgan.scores import Scale

from .ensemble import calibrated_scores
from .fit import FitResult, TrainedMember
from .fitted import Columns, Ensemble, Fitted, FittedMember, Floats, Model, member_scale
from .holdout import readable, subsample
from .hooks import Hooks
from .location_scale import fit_location_scale
from .queries import ask, outputs
from .shared_components import fit_components

#: Held-out images, and pixels of each, that the threshold of pixels is set by at most. The maps of
#: detectors that search take hundreds of times as long.
N_MAPS, N_MAPS_SEARCHED, N_PIXELS = 256, 32, 4096


def calibrate(method: Hooks, results: Sequence[FitResult], columns: Columns) -> Fitted:
    """Return all that the fit leaves, but for its health.

    Parameters
    ----------
    method : Hooks
        The method.
    results : sequence of FitResult
        What the training of the fit left, and of its further fits if it is cross-fitted. Of those
        only the scores of the rows that they held out are kept.
    columns : Columns
        The columns of the training data.
    """
    fitted, *further = (_fit_members(method, result, columns) for result in results)
    fits = list(zip((fitted, *further), results, strict=True))
    scores = np.concatenate([fold.calibration_scores for fold, _ in fits])
    pixels = [part for fold, result in fits for part in _held_out_pixels(method, fold, result)]
    fitted = replace(
        fitted,
        **_threshold(scores, method.target_fpr),
        held_out_scores=fitted.calibration_scores,
        cross_fitted=bool(further),
        pixel_threshold=(
            decisions.conformal_threshold(np.concatenate(pixels), method.pixel_fpr)
            if pixels
            else None
        ),
    )
    _warn_of_few_held_out(fitted, method)
    return fitted


def _fit_members(method: Hooks, result: FitResult, columns: Columns) -> Fitted:
    """Return what one fit leaves, with the threshold that the rows it held out give."""
    params = method.get_params(deep=False)
    of_member = {**params, "n_members": 1, "checkpoint": None}
    several = len(result.members) > 1
    pairs = [
        fit_member(method, result, trained, of_member if several else params)
        for trained in result.members
    ]
    members = tuple(member for member, _ in pairs)
    scores = pairs[0][1]
    if several:
        scores = calibrated_scores([scores for _, scores in pairs], member_scale(members)).mean(1)
    return Fitted(
        params=params,
        encoding=result.encoding,
        columns=columns,
        members=members,
        **_threshold(scores, method.target_fpr),
        history=result.history,
        n_train=readable(result.hold_out.train),
        versions=software_versions(),
    )


def fit_member(
    method: Hooks, result: FitResult, trained: TrainedMember, params: dict[str, Any]
) -> tuple[FittedMember, Floats]:
    """Fit what a member must know of normal samples to score them.

    Returns
    -------
    member : FittedMember
        All scales are learned from rows that set no threshold.
    scores : ndarray of shape (n_held_out,)
        The scores of the held-out rows, in their order; of a group that of one sample.
    """
    member = FittedMember(trained.networks, trained.history, trained.n_train)

    def model() -> Model:
        return Model(method, result.encoding, member, params, method.score_name)

    def scores(source: inputs.Source) -> Floats:
        independent = inputs.one_of_each_group(source)
        of_all: Floats = ask(Ensemble((model(),), None, None), independent, "anomaly_score")
        return of_all

    for_scale = trained.scale_samples
    if for_scale is not None:
        member = replace(member, components=fit_components(model(), trained.references, for_scale))
        if method.combine == "standardised" and not model().components:
            values = ask(Ensemble((model(),), None, None), for_scale, "score_components")
            scale = Scale.fit({name: values[name].to_numpy() for name in values})
            member = replace(member, component_scale=scale)
    if isinstance(result.encoding.samples, inputs.PatchCodec):
        member = replace(member, location_scale=fit_location_scale(model(), trained.few))
    if len(result.members) > 1:
        assert trained.scale_rows is not None
        member = replace(member, scale_scores=np.sort(scores(trained.scale_rows)))
    held_out = scores(result.hold_out.held_out)
    return replace(member, **_threshold(held_out, method.target_fpr)), held_out


def software_versions() -> dict[str, str]:
    """Return the versions of the software that decides what a fit becomes."""
    versions = {name: importlib.metadata.version(name) for name in ("oddgan", "torch")}
    return {**versions, "python": platform.python_version()}


def _threshold(scores: Floats, target_fpr: float) -> dict[str, Any]:
    """Return the sorted scores of held-out samples and the threshold that they give."""
    ordered = np.sort(scores)
    threshold = decisions.conformal_threshold(ordered, target_fpr)
    return {"calibration_scores": ordered, "threshold": threshold}


def _warn_of_few_held_out(fitted: Fitted, method: Hooks) -> None:
    n, needed = len(fitted.calibration_scores), decisions.smallest_sample(method.target_fpr)
    if n >= needed:
        return
    advice = "give more, or a larger target_fpr"
    if not fitted.cross_fitted:
        advice = "leave n_folds at 'auto', give more, or a larger calibration_fraction"
    warnings.warn(
        f"nothing will be flagged: target_fpr={method.target_fpr:g} takes {needed} held-out "
        f"samples (of groups one each), and there are {n}; {advice}",
        stacklevel=4,
    )


# ------------------------------------------------------------------------------------- pixels


def _held_out_pixels(
    method: Hooks, fitted: Fitted, result: FitResult
) -> Iterator[NDArray[np.float64]]:
    """Yield pixels of the maps of held-out images: at most 4,096 of each of at most 256 images.

    For detectors that search it is 32 images. Both are drawn at random. There are none for tables,
    and for a detector that does not explain.
    """
    if fitted.encoding.samples.kind == "table" or "explain" in method.unavailable:
        return
    rng, seed = np.random.default_rng(result.seed), result.seed
    n_maps = N_MAPS_SEARCHED if method._searches else N_MAPS
    some = subsample(result.hold_out.held_out, n_maps, [seed, 1])
    for _, explanation in outputs(Ensemble.of(method, fitted), some, "explain"):
        for anomaly_map in np.asarray(explanation):
            yield _some_pixels(rng, anomaly_map)


def _some_pixels(rng: np.random.Generator, anomaly_map: NDArray[Any]) -> NDArray[np.float64]:
    """Return at most `N_PIXELS` pixels of a map."""
    flat = anomaly_map.ravel().astype(np.float64)
    return flat if len(flat) <= N_PIXELS else rng.choice(flat, N_PIXELS, replace=False)
