"""A population: networks that are trained as one, and answers that are made of its members'."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from oddgan import inputs
from oddgan.networks import member, stacked
from oddgan.scores import RobustScale

from .holdout import HoldOut
from .inference import READ, Query, in_batches, of_image, reconstruction
from .shared_components import how_to_answer, how_to_score, refuse_changes

if TYPE_CHECKING:
    from .detector import Detector

T = TypeVar("T", bound="Detector")
Networks = dict[str, nn.Module]
Floats = NDArray[np.float64]


# ------------------------------------------------------------------------------------- networks


def joined(members: Sequence[Networks]) -> Networks:
    """Return networks by role that hold the weights of all members, as they are trained."""
    if len(members) == 1:
        return members[0]
    return {role: stacked([nets[role] for nets in members]) for role in members[0]}


def apart(networks: Networks, n_members: int) -> list[Networks]:
    """Return the networks of each member, in evaluation mode, of what `joined` made."""
    if n_members == 1:
        return [networks]
    return [
        {role: member(net, k).eval() for role, net in networks.items()} for k in range(n_members)
    ]


@contextmanager
def one_of(networks: Networks, k: int, n_members: int) -> Iterator[Networks]:
    """Lend the networks of member `k`, and keep what is written into their buffers."""
    if n_members == 1:
        yield networks
        return
    alone = {role: member(net, k) for role, net in networks.items()}
    yield alone
    for role, net in networks.items():
        own = dict(alone[role].named_buffers())
        for name, buffer in net.named_buffers():
            buffer[k].copy_(own[name])


# -------------------------------------------------------------------------------------- members


def new_members(population: T, n_members: int) -> list[T]:
    """Return detectors that are to be its members, with what all of them share."""
    params = {**population.get_params(deep=False), "n_members": 1, "checkpoint": None}
    members = []
    for _ in range(n_members):
        one = type(population)(**params)
        one.codec_ = population.codec_
        one.condition_codec_ = population.condition_codec_
        one.condition_columns_ = population.condition_columns_
        one.group_columns_ = population.group_columns_
        one.fitted_params_ = {**population.fitted_params_, "n_members": 1, "checkpoint": None}
        one.n_train_, one.versions_ = population.n_train_, population.versions_
        one.crossed_ = False
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(population, name):
                setattr(one, name, getattr(population, name))
        one.history_, one.provenance_, one.members_, one.health_checks_ = [], {}, [], ()
        members.append(one)
    return members


def networks_of(members: Sequence["Detector"]) -> Networks:
    """Return the networks of all members by the number of the member and the role."""
    return {
        f"{k}/{role}": net for k, one in enumerate(members) for role, net in one.networks_.items()
    }


def scores_left_out(population: "Detector", split: HoldOut) -> Floats:
    """Return the scores of held-out rows, each by the members that did not train on it."""
    means = []
    held_out = inputs.one_of_each_group(split.held_out)
    for index, scores in answers(population, held_out, "member_scores"):
        left_out = split.left_out(index)
        n_scores = left_out.sum(1)
        sums = np.where(left_out, scores, 0).sum(1)
        means.append(sums[n_scores > 0] / n_scores[n_scores > 0])
    return np.concatenate(means)


# -------------------------------------------------------------------------------------- answers


def answers(
    population: "Detector", source: inputs.Source, question: Query
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    """Yield (row numbers, answers), each made of the answers of all members."""
    of_score = question in ("anomaly_score", "member_scores")
    if of_score:
        refuse_changes(
            population, "a population has the scale of its members' scores", "score", "combine"
        )
    asked = [
        (one.networks_, *(how_to_score(one) if of_score else (how_to_answer(one, question), None)))
        for one in as_it_is(population)
    ]
    scale = scale_of(population.members_) if of_score else None
    encoding = population._encoding
    for index, x, c in encoding.read(source, READ[source.kind]):
        if question == "reconstruct":
            made = [reconstruction(nets, x, c, how[0]) for nets, how, _ in asked]
            yield index, asked[0][1][1]({"": torch.stack(made).mean(0)})
            continue
        if isinstance(x, torch.Tensor):
            told = [to(in_batches(nets, x, c, compute)) for nets, (compute, to), _ in asked]
        else:
            told = [of_image(encoding, nets, x, c, how, places) for nets, how, places in asked]
        yield index, _merged(question, told, scale)


def as_it_is(population: "Detector") -> Sequence["Detector"]:
    """Return the members, with the parameters that the population has now."""
    params = {**population.get_params(deep=False), "n_members": 1, "checkpoint": None}
    for one in population.members_:
        one.set_params(**params)
    return population.members_


def _merged(question: Query, told: Sequence[Any], scale: RobustScale | None) -> Any:
    if scale:
        scores = calibrated(told, scale)
        return scores if question == "member_scores" else scores.mean(1)
    if question in ("embed", "features"):
        return np.concatenate(told, axis=1)
    return sum(told[1:], start=told[0]) / len(told)


def scale_of(members: Sequence["Detector"]) -> RobustScale:
    """Return the scale of each member's scores: that of the rows that it alone held out."""
    return RobustScale.fit({str(k): m.calibration_scores_ for k, m in enumerate(members)}, ())


def calibrated(scores: Sequence[Floats], scale: RobustScale) -> Floats:
    """Return what K members say of n samples on one scale, shape (n, K).

    arsinh((score - median) / spread): the order of each member is kept, scores around the median
    stay as they are, and far beyond it a factor adds a constant. So no member, however far its
    scores reach, decides the mean by itself; and a score may be negative.
    """
    scaled = scale.apply({str(k): values for k, values in enumerate(scores)})
    return np.stack([np.arcsinh(values) for values in scaled.values()], axis=1)
