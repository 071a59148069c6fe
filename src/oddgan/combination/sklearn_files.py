"""Fitted detectors of scikit-learn as bytes, by skops: no pickle, and no code runs."""

from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline
from sklearn.tree import ExtraTreeRegressor

#: skops loads trees only if trusted, because scikit-learn follows their nodes without checking
#: where they point; `_is_sound` checks.
_TREE = "sklearn.tree._tree.Tree"
_LEAF = -1


def to_bytes(detector: Any) -> bytes:
    """Return a fitted detector as bytes."""
    return bytes(skops.io.dumps(detector))


def not_stored(detector: Any) -> list[str]:
    """Return the types in a detector that a file cannot hold; checked trees are allowed."""
    types = set()
    for step in _steps(detector):
        checked = {_TREE} if isinstance(step, IsolationForest) else set()
        types |= {*skops.io.get_untrusted_types(data=to_bytes(step))} - checked
    return sorted(types)


def from_bytes(file: bytes) -> Any:
    """Return the fitted detector that `to_bytes` wrote.

    Raises
    ------
    ValueError
        It holds unsupported types, or trees with nodes that point outside.
    """
    if types := sorted({*skops.io.get_untrusted_types(data=file)} - {_TREE}):
        raise ValueError(f"holds {', '.join(types)}, which cannot be read")
    detector = skops.io.loads(file, trusted=[_TREE])
    sound = all(_is_sound(step) for step in _steps(detector) if isinstance(step, IsolationForest))
    if not_stored(detector) or not sound:
        raise ValueError("has trees with nodes that point outside")
    return detector


def _steps(detector: Any) -> list[Any]:
    return [step for _, step in detector.steps] if isinstance(detector, Pipeline) else [detector]


def _is_sound(forest: IsolationForest) -> bool:
    """Return whether all nodes point to later nodes of their tree and to existing columns."""
    for estimator, columns in zip(forest.estimators_, forest.estimators_features_, strict=True):
        if type(estimator) is not ExtraTreeRegressor or len(columns) > forest.n_features_in_:
            return False
        tree = estimator.tree_
        inner = np.flatnonzero(tree.children_left != _LEAF)
        for children in (tree.children_left[inner], tree.children_right[inner]):
            if (children <= inner).any() or (children >= tree.node_count).any():
                return False
        if not ((tree.feature[inner] >= 0) & (tree.feature[inner] < len(columns))).all():
            return False
    return True
