"""Scores of shared parts: which a detector is asked for, and how its networks give them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from oddgan import inputs
from oddgan.detectors._critics import SpaceCritic
from oddgan.scores import (
    REACH,
    SHARED_COMPONENTS,
    FittedComponents,
    LocationScale,
    MapScale,
    spaces_needed,
)

from .hooks import Method
from .inference import (
    READ,
    Answer,
    Compute,
    How,
    Places,
    Query,
    answers,
    as_floats,
    as_frame,
    finite,
    map_as_cut,
    of_patches,
)
from .parameters import SharedParams
from .score_names import shared_names, without_features

if TYPE_CHECKING:
    from .detector import Detector

Floats = NDArray[Any]

#: Neighbours that "knn" takes the mean distance to.
N_NEAREST = {"table": 5, "image": 20}
#: Longer side of the images that are compared by their pixels. In more of them an object that lies
#: a little aside is far, and what is kept of each training image costs memory and time.
INPUT_SIDE = 16
#: Prefix of what a detector's own score gives, among what the networks give.
_OWN = "own/"


def own(detector: "Detector", name: str | None = None) -> "Detector":
    """Return the detector as it is with a score of its own; by default that of its paper.

    Its hooks know no other scores.
    """
    if name is None:
        name = detector.score if detector.score in detector.scores else detector.scores[0]
    if detector.score == name:
        return detector
    return type(detector)(**{**detector.get_params(deep=False), "score": name})


def learn(
    detector: "Detector", training: inputs.Source, held_out: inputs.Source
) -> FittedComponents | None:
    """Learn what the parts that `detector.score` names need to know of normal samples."""
    names = shared_names(detector)
    if not names:
        return None
    shared = tuple(name for name in names if name in SHARED_COMPONENTS)
    spaces = _all(detector, shared, training, _arrays)
    train_critic = partial(SpaceCritic.fit, like=detector)
    learnt = FittedComponents.fit(shared, spaces, N_NEAREST[detector.codec_.kind], train_critic)
    return learnt.scaled(_all(detector, names, held_out, partial(part_values, learnt, names)))


def _all(
    detector: "Detector",
    names: Sequence[str],
    source: inputs.Source,
    convert: Callable[[Answer], dict[str, Floats]],
) -> dict[str, Floats]:
    """Return what `convert` makes of every sample of `source` in the spaces of these parts."""
    nets, compute = detector.networks_, partial(in_spaces, detector, names)
    chunks = [found for _, found in answers(nets, detector._encoding, source, compute, convert)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def answers_of_one(
    detector: "Detector", source: inputs.Source, question: Query
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    """Yield (row numbers, answers) of a detector that has no members, chunk by chunk."""
    if question == "member_scores":
        raise ValueError(
            f"this {type(detector).__name__} has no members to disagree: return_std needs one "
            "that is fitted with n_members of at least 2"
        )
    how, places = how_to_answer(detector, question), None
    if question == "anomaly_score":
        how, places = how_to_score(detector)
    return answers(detector.networks_, detector._encoding, source, *how, question, places)


def how_to_score(detector: "Detector") -> tuple[How, Places | None]:
    """Return how samples are scored, and the scale of places; by maps, what these are made of."""
    places = place_scale(detector)
    if not isinstance(places, MapScale):
        return how_to_answer(detector, "anomaly_score"), places
    return (map_by(detector), as_frame), places


def map_by(detector: "Detector") -> Compute:
    """Return how networks answer where a sample is odd, in its shape."""
    return lambda x: {"": finite(detector._explain(detector.networks_, x)[0])}


def how_to_answer(detector: "Detector", question: Query) -> tuple[Compute, Callable[[Answer], Any]]:
    """Return how networks answer for encoded samples, and what is told of their answers."""
    nets, codec = detector.networks_, detector.codec_
    if question in ("anomaly_score", "score_components") and shared_names(detector):
        return asked(detector, question)
    if question == "features" and (why := without_features(type(detector))):
        raise ValueError(f"{type(detector).__name__} cannot embed in feature space: {why}")
    compute: Compute = {
        "anomaly_score": lambda x: {"": finite(detector._total(detector._score(nets, x)))},
        "score_components": lambda x: detector._score(nets, x).components,
        "reconstruct": lambda x: {"": detector._reconstruct(nets, x)},
        "embed": lambda x: {"": detector._embed(nets, x)},
        "features": lambda x: {"": detector._features(nets, x).flatten(1)},
    }[question]
    convert = {
        "score_components": as_frame,
        "reconstruct": lambda found: codec.decode(found[""]),
    }.get(question, lambda found: as_floats(found[""]))
    return compute, convert


def learnt_for(detector: "Detector", names: Sequence[str]) -> FittedComponents:
    """Return what a detector has learnt for these parts, which its score names.

    Raises
    ------
    ValueError
        A part was not learnt when the detector was fitted, or parameters have changed since.
    """
    learnt = detector.parts_
    if learnt is None or not learnt.names.issuperset(names):
        missing = [name for name in names if learnt is None or name not in learnt.names]
        raise ValueError(
            f"score: {type(detector).__name__} was fitted with the score "
            f"{detector.fitted_params_['score']!r}, and learnt nothing for {', '.join(missing)}: "
            f"fit it again with score={detector.score!r}"
        )
    refuse_changes(detector, "a score of shared parts has the scale")
    return learnt


def asked(detector: "Detector", question: str) -> tuple[Compute, Callable[[Answer], Any]]:
    """Return how networks and what was learnt answer for a score of shared parts."""
    names = shared_names(detector)
    learnt = learnt_for(detector, names)

    def convert(found: Answer) -> Any:
        parts = part_values(learnt, names, found)
        if question == "score_components":
            return pd.DataFrame(parts)
        # In 32 bit copies of a sample tie, though products of other sizes round differently.
        return as_floats(finite(torch.from_numpy(learnt.total(names, parts)).float()))

    return partial(in_spaces, detector, names), convert


def learn_places(detector: "Detector", source: inputs.Source) -> Places | None:
    """Learn the scale of patches' scores by their place, if `by_place` asks for it.

    Of a score by maps there is always a scale, if need be one for all places. It is learnt from
    images that trained: held-out ones, were they on a scale that they made, would be less odd
    than new ones, and the threshold that comes of them too low.
    """
    codec, nets = detector.codec_, detector.networks_
    if isinstance(codec, inputs.PatchCodec) and codec.patch_score == "map":
        maps = (
            map_as_cut(codec, nets, whole, c, map_by(detector))
            for _, whole, c in detector._encoding.read(source, READ["image"])
            if isinstance(whole, inputs.PatchedImage)
        )
        return MapScale.fit(maps, REACH if detector.by_place else 0)
    if not detector.by_place:
        return None
    how = how_to_answer(detector, "anomaly_score")
    places, scores = list[Floats](), list[Floats]()
    for _, whole, c in detector._encoding.read(source, READ["image"]):
        assert isinstance(whole, inputs.PatchedImage)
        places.append(whole.places())
        scores.append(of_patches(nets, whole, c, how))
    return LocationScale.fit(np.concatenate(places), np.concatenate(scores))


def place_scale(detector: "Detector") -> Places | None:
    """Return the scale of patches' scores, or of pixels, by their place, if there is one.

    Raises
    ------
    ValueError
        Another score is asked for than the one it was learnt of.
    """
    if detector.place_scale_ is not None:
        name = "patch_score='map'" if isinstance(detector.place_scale_, MapScale) else "by_place"
        refuse_changes(detector, f"{name} has the scale", "score", "combine")
    return detector.place_scale_


def refuse_changes(detector: "Detector", what: str, *also: str) -> None:
    """Refuse to go by the scale of parts if a parameter that makes them has changed."""
    before = detector.fitted_params_
    own_names = before.keys() - SharedParams.__annotations__.keys() - {"score"}
    for name in (*also, *sorted(own_names)):
        if differ(getattr(detector, name), before[name]):
            raise ValueError(
                f"{what} of the parts as they were fitted, and {name} has changed since: fit again"
            )


def differ(a: Any, b: Any) -> bool:
    """Return whether two values of a parameter say different things; lists are as tuples."""
    return bool(a != b) and not (
        isinstance(a, tuple | list) and isinstance(b, tuple | list) and list(a) == list(b)
    )


def in_spaces(detector: "Detector", names: Sequence[str], x: Tensor) -> Answer:
    """Return samples `x` in each space that these parts measure in, and their own scores."""
    nets, spaces, found = detector.networks_, spaces_needed(names), {}
    if "input" in spaces:
        found["input"] = _small(x) if x.ndim > 2 else x
    if "feature" in spaces:
        found["feature"] = detector._features(nets, x)
    if "latent" in spaces:
        found["latent"] = detector._embed(nets, x)
    if "residual" in spaces:
        # A latent vector that took a search is not searched for a second time.
        known = "latent" in found and type(detector)._reconstruct is Method._reconstruct
        y = nets["generator"](found["latent"]) if known else detector._reconstruct(nets, x)
        found["residual"] = x - y
    found = {space: rows.flatten(1) for space, rows in found.items()}
    for name in names:
        if name not in SHARED_COMPONENTS:
            found[_OWN + name] = own(detector, name)._score(nets, x).total
    return found


def _small(x: Tensor) -> Tensor:
    """Return images averaged over squares, to at most `INPUT_SIDE` pixels along the longer side."""
    height, width = x.shape[2:]
    edge = -(-max(height, width) // INPUT_SIDE)
    return adaptive_avg_pool2d(x, (-(-height // edge), -(-width // edge)))


def _arrays(found: Answer) -> dict[str, Floats]:
    return {name: values.numpy() for name, values in found.items()}


def part_values(learnt: FittedComponents, names: Sequence[str], found: Answer) -> dict[str, Floats]:
    """Return the parts of samples by name, in this order."""
    shared = learnt.measure(names, _arrays(found))
    return {n: shared[n] if n in shared else as_floats(found[_OWN + n]) for n in names}
