"""An ensemble: networks of several members that train as one, and scores on one scale."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oddgan.networks import member, stacked
from oddgan.scores import RobustScale

Networks = dict[str, nn.Module]
Floats = NDArray[np.float64]


def stack_members(members: Sequence[Networks]) -> Networks:
    """Return networks by role that hold the weights of all members, as they train."""
    if len(members) == 1:
        return members[0]
    return {role: stacked([nets[role] for nets in members]) for role in members[0]}


def unstack_members(networks: Networks, n_members: int) -> list[Networks]:
    """Return the networks of each member, in evaluation mode, of what `stack_members` made."""
    if n_members == 1:
        return [networks]
    return [
        {role: member(net, k).eval() for role, net in networks.items()} for k in range(n_members)
    ]


@contextmanager
def one_member(networks: Networks, k: int, n_members: int) -> Iterator[Networks]:
    """Lend the networks of member `k`, and keep what is written into their buffers."""
    if n_members == 1:
        yield networks
        return
    alone = {role: member(net, k) for role, net in networks.items()}
    yield alone
    for role, net in networks.items():
        buffers = dict(alone[role].named_buffers())
        for name, buffer in net.named_buffers():
            buffer[k].copy_(buffers[name])


def calibrated_scores(scores: Sequence[Floats], scale: RobustScale) -> Floats:
    """Return the scores of K members for n samples on one scale, shape (n, K).

    arsinh((score - median) / spread): the order of each member is kept, scores around the median
    stay as they are, and far beyond it a factor adds a constant. So no member, however far its
    scores reach, decides the mean by itself; and a score may be negative.
    """
    scaled = scale.apply({str(k): values for k, values in enumerate(scores)})
    return np.stack([np.arcsinh(values) for values in scaled.values()], axis=1)
