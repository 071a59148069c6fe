"""From trained networks to a fitted detector: scales, thresholds and the health of the fit."""

import importlib.metadata
import platform
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddgan import decisions, inputs
from oddgan.scores import Scale

from .fit import FitResult, TrainedMember
from .fitted import Columns, Ensemble, Fitted, FittedMember, Floats, Model
from .holdout import HoldOut, readable, subsample
from .hooks import Hooks
from .location_scale import fit_location_scale
from .queries import ask, outputs
from .shared_components import fit_components

#: Held-out images, and pixels of each, that the threshold of pixels is set by at most. The maps of
#: detectors that search take hundreds of times as long.
N_MAPS, N_MAPS_SEARCHED, N_PIXELS = 256, 32, 4096


def calibrate(method: Hooks, result: FitResult, columns: Columns) -> Fitted:
    """Return all that the fit leaves, but for its health."""
    params = method.get_params(deep=False)
    of_member = {**params, "n_members": 1, "checkpoint": None}
    several = len(result.members) > 1
    members = tuple(
        fit_member(method, result, trained, of_member if several else params)
        for trained in result.members
    )
    fitted = Fitted(
        params=params,
        encoding=result.encoding,
        columns=columns,
        members=members,
        calibration_scores=members[0].calibration_scores,
        threshold=members[0].threshold,
        history=result.history,
        n_train=readable(result.hold_out.train),
        cross_fitted=result.hold_out.cross_fitted,
        versions=software_versions(),
    )
    if several:
        scores = _left_out_scores(Ensemble.of(method, fitted), result.hold_out)
        fitted = replace(fitted, **_threshold(scores, method.target_fpr))
    _warn_of_few_held_out(fitted, method.target_fpr)
    pixels = fit_pixel_threshold(method, fitted, result.hold_out, result.seed)
    return replace(fitted, pixel_threshold=pixels)


def fit_member(
    method: Hooks, result: FitResult, trained: TrainedMember, params: dict[str, Any]
) -> FittedMember:
    """Fit what a member must know of normal samples to score them."""
    member = FittedMember(trained.networks, trained.history, trained.n_train)

    def model() -> Model:
        return Model(method, result.encoding, member, params, method.score_name)

    held_out = trained.held_out_samples
    member = replace(member, components=fit_components(model(), trained.references, held_out))
    if method.combine == "standardised" and not model().components:
        values = ask(Ensemble((model(),), None, None), held_out, "score_components")
        scale = Scale.fit({name: values[name].to_numpy() for name in values})
        member = replace(member, component_scale=scale)
    if isinstance(result.encoding.samples, inputs.PatchCodec):
        member = replace(member, location_scale=fit_location_scale(model(), trained.few))
    independent = inputs.one_of_each_group(trained.held_out)
    scores = ask(Ensemble((model(),), None, None), independent, "anomaly_score")
    return replace(member, **_threshold(scores, method.target_fpr))


def software_versions() -> dict[str, str]:
    """Return the versions of the software that decides what a fit becomes."""
    versions = {name: importlib.metadata.version(name) for name in ("oddgan", "torch")}
    return {**versions, "python": platform.python_version()}


def _threshold(scores: Floats, target_fpr: float) -> dict[str, Any]:
    """Return the sorted scores of held-out samples and the threshold that they give."""
    ordered = np.sort(scores)
    threshold = decisions.conformal_threshold(ordered, target_fpr)
    return {"calibration_scores": ordered, "threshold": threshold}


def _left_out_scores(ensemble: Ensemble, rows: HoldOut) -> Floats:
    """Return the scores of held-out rows, each by the members that did not train on it."""
    means = []
    held_out = inputs.one_of_each_group(rows.held_out)
    for index, scores in outputs(ensemble, held_out, "member_scores"):
        left_out = rows.left_out(index)
        n_scores = left_out.sum(1)
        sums = np.where(left_out, scores, 0).sum(1)
        means.append(sums[n_scores > 0] / n_scores[n_scores > 0])
    return np.concatenate(means)


def _warn_of_few_held_out(fitted: Fitted, target_fpr: float) -> None:
    n = len(fitted.calibration_scores)
    needed = decisions.smallest_sample(target_fpr)
    if n < needed:
        advice = "give more rows, or groups, or a larger calibration_fraction"
        if fitted.cross_fitted:
            advice = "all rows are held out already: give more, or a larger target_fpr"
        warnings.warn(
            f"only {n} held-out sample(s): new normal samples are flagged with "
            f"probability 1/{n + 1}, not target_fpr={target_fpr}, which takes "
            f"{needed}; {advice}",
            stacklevel=4,
        )


# ------------------------------------------------------------------------------------- pixels


def fit_pixel_threshold(method: Hooks, fitted: Fitted, rows: HoldOut, seed: int) -> float | None:
    """Return what pixels of held-out normal images stay below, all but a share of `pixel_fpr`.

    It is the quantile over at most 4,096 pixels of each of at most 256 images (32 for detectors
    that search), both drawn at random. In a cross-fitted ensemble each member explains the images
    that it left out. None for tables, and for a detector that does not explain.
    """
    if fitted.encoding.samples.kind == "table" or "explain" in method.unavailable:
        return None
    ensemble = Ensemble.of(method, fitted)
    explaining = [(ensemble, rows.held_out)]
    if rows.cross_fitted:
        explaining = [
            (Ensemble((model,), None, None), held_out)
            for model, (_, held_out) in zip(ensemble.models, rows.members, strict=True)
        ]
    n_maps = (N_MAPS_SEARCHED if method._searches else N_MAPS) // len(explaining)
    rng, pixels = np.random.default_rng(seed), list[NDArray[Any]]()
    for members, held_out in explaining:
        some = subsample(held_out, max(1, n_maps), [seed, 1])
        for _, explanation in outputs(members, some, "explain"):
            pixels += [_some_pixels(rng, anomaly_map) for anomaly_map in np.asarray(explanation)]
    return decisions.conformal_threshold(np.concatenate(pixels), method.pixel_fpr)


def _some_pixels(rng: np.random.Generator, anomaly_map: NDArray[Any]) -> NDArray[np.float64]:
    """Return at most `N_PIXELS` pixels of a map."""
    flat = anomaly_map.ravel().astype(np.float64)
    return flat if len(flat) <= N_PIXELS else rng.choice(flat, N_PIXELS, replace=False)
