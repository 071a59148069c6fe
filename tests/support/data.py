"""Data that many tests share, and detectors that are trained once for all of them."""

import copy
from functools import cache

import numpy as np
from torch import nn

from oddgan.estimator.holdout import hold_outs, row_mask, seeds
from oddgan.inputs import open_source


def make_table():
    """Return correlated normal rows (300, 4)."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(300, 4))


def make_images():
    """Return grey images (120, 8, 10) of one soft blob each, uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:8, :10]
    centres = rng.uniform([2, 2], [6, 8], size=(120, 2))[..., None, None]
    blobs = np.exp(-((y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2) / 4)
    return (255 * blobs).astype(np.uint8)


DATA = {"table": make_table, "image": make_images}


class Known(nn.Module):
    """A network that answers what it is told."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, *inputs):
        return self.answer(*inputs)


def call_hook(detector, hook, nets, x):
    """Call a hook of a detector that takes the name of its score, such as `_score`."""
    return getattr(detector, hook)(nets, x, detector.score_name)


def quick(cls, **params):
    """Return a detector that trains once, and scores, in a fraction of a second."""
    small = {"max_steps": 12, "batch_size": 16, "width": 8, "latent_dim": 4, "n_folds": 1}
    small |= {"health": False, "random_state": 0}
    default = cls().get_params()
    if "n_steps" in default:  # of a search in the latent space
        small["n_steps"] = min(default["n_steps"], 10)
    if "n_critic" in default:  # batches of a round
        small["n_critic"] = 2
    return cls(**{**small, **params})


def fitted(cls, kind, **params):
    """Return a quick detector fitted on ``DATA[kind]()``.

    It is trained once for all who ask for the same, and each gets a copy of its own: what one
    test does to it, no other sees.
    """
    return copy.deepcopy(_fit_once(cls, kind, tuple(sorted(params.items()))))


@cache
def _fit_once(cls, kind, params):
    return quick(cls, **dict(params)).fit(DATA[kind]())


def rows_of_fit(detector, X):
    """Return which rows a fit on X holds out, and which set a scale (of an ensemble: by member)."""
    rows, *_ = hold_outs(detector, open_source(X), seeds(detector.random_state, 5)[0])
    for_scale = [row_mask(rows) for _, rows in rows.members if rows is not None]
    return row_mask(rows.held_out), for_scale
