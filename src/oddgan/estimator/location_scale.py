"""The scale of scores by their location in an image, and scores by the anomaly map."""

import numpy as np
from torch import Tensor

from oddgan import inputs
from oddgan.scores import REACH, LocationScale, MapScale

from .fitted import Floats, Model
from .inference import READ, Compute, concatenate, finite, in_batches, map_as_cut, patches_of
from .shared_components import check_unchanged, score_compute, score_values


def fit_location_scale(model: Model, source: inputs.Source) -> LocationScale | MapScale | None:
    """Fit the scale of patches' scores by their location, if `normalize_by_location` asks for it.

    A score by maps always has a scale, if need be one for all locations. It is fitted on images
    that trained: held-out images on a scale that they made themselves would be less anomalous than
    new ones, and the threshold that comes from them too low.
    """
    codec, method = model.encoding.samples, model.method
    images = (
        (chunk.x, chunk.condition)
        for chunk in model.encoding.read(source, READ["image"])
        if isinstance(chunk.x, inputs.PatchedImage)
    )
    if isinstance(codec, inputs.PatchCodec) and codec.patch_aggregation == "map":
        compute = map_compute(model)
        maps = (map_as_cut(codec, model.networks, *image, compute) for image in images)
        return MapScale.fit(maps, REACH if method.normalize_by_location else 0)
    if not method.normalize_by_location:
        return None
    locations, scores = list[Floats](), list[Floats]()
    for image, condition in images:
        locations.append(image.locations())
        scores.append(patch_scores(model, image, condition))
    return LocationScale.fit(np.concatenate(locations), np.concatenate(scores))


def map_compute(model: Model) -> Compute:
    """Return what networks compute for the map that scores an image."""
    method, nets, score = model.method, model.networks, model.own_score
    return lambda x: {"": finite(method._explain(nets, x, score)[0])}


def patch_scores(model: Model, image: inputs.PatchedImage, condition: Tensor | None) -> Floats:
    """Return the scores of all patches of an image, not scaled by their location."""
    compute = score_compute(model)
    scores: Floats = concatenate(
        [
            score_values(model, in_batches(model.networks, x, same, compute))
            for _, x, same in patches_of(image, condition)
        ]
    )
    return scores


def image_score(model: Model, image: inputs.PatchedImage, condition: Tensor | None) -> Floats:
    """Return the score of an image that is cut into patches, shape (1,).

    Raises
    ------
    ValueError
        Another score is asked for than the one whose scale was fitted.
    """
    codec, scale = model.encoding.samples, model.member.location_scale
    assert isinstance(codec, inputs.PatchCodec)
    if scale is not None:
        by_map = isinstance(scale, MapScale)
        name = "patch_aggregation='map'" if by_map else "normalize_by_location"
        check_unchanged(model, f"{name} has the scale", "score_name", "combine")
    if isinstance(scale, MapScale):
        anomaly_map = map_as_cut(codec, model.networks, image, condition, map_compute(model))
        return np.array([scale.score(anomaly_map)])
    scores = patch_scores(model, image, condition)
    if scale is not None:
        scores = scale.apply(image.locations(), scores)
    aggregated: Floats = codec.aggregate(scores)
    return aggregated
