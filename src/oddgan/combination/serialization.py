"""A fitted combination as header and arrays of a model file, and back.

Detectors of OddGAN use their own format, those of scikit-learn skops. No pickle is read and no
code from the file runs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddgan import detectors, inputs
from oddgan.estimator import Calibration, Columns, below, restored_threshold, stored_threshold

from .fitted import FittedCombination
from .members import MatrixCodec, Member
from .rules import Reference

Arrays = dict[str, NDArray[Any]]


def to_state(params: Mapping[str, Any], fitted: FittedCombination) -> tuple[dict[str, Any], Arrays]:
    """Return the header and arrays of a fitted combination.

    Raises
    ------
    ValueError
        A member cannot be stored; the message names it.
    """
    calibration, matrix = fitted.calibration, fitted.matrix
    arrays = {"calibration_scores": calibration.scores}
    members = []
    for k, (member, reference) in enumerate(zip(fitted.members, fitted.references, strict=True)):
        header, member_arrays = _member_to_state(member)
        members.append({"name": member.name, "family": member.family, **header})
        arrays |= {f"members/{k}/{name}": array for name, array in member_arrays.items()}
        arrays[f"references/{k}"] = reference.scores
    codec, codec_arrays = matrix.codec.to_state() if matrix else (None, {})
    arrays |= {f"codec/{name}": array for name, array in codec_arrays.items()}
    seed = params["random_state"]
    header = {
        "combination": {
            "rule": fitted.rule,
            "target_fpr": params["target_fpr"],
            "calibration_fraction": params["calibration_fraction"],
            "random_state": int(seed) if isinstance(seed, int | np.integer) else None,
        },
        "members": members,
        "codec": codec,
        "plain": bool(matrix and matrix.plain),
        "threshold": stored_threshold(calibration.threshold),
        "n_train": fitted.n_train,
        "group_columns": list(fitted.columns.groups),
        "n_features_in": fitted.columns.n_features,
        "feature_names_in": list(fitted.columns.names),
        "provenance": fitted.provenance,
    }
    return header, arrays


def from_state(
    header: dict[str, Any], arrays: Arrays, device: str | None, path: str
) -> tuple[dict[str, Any], FittedCombination]:
    """Return the parameters and fitted state of a combination from the output of `to_state`.

    Raises
    ------
    ValueError
        A member has an unsupported kind or version; the message names it.
    """
    members = tuple(
        _member_from_state(stored, below(f"members/{k}/", arrays), device, path)
        for k, stored in enumerate(header["members"])
    )
    pairs = [(member.name, member.detector) for member in members]
    params = {"detectors": pairs, **header["combination"]}
    matrix = None
    if header["codec"]:
        codec = inputs.codec_from_state(header["codec"], below("codec/", arrays))
        matrix = MatrixCodec(codec, header["plain"])
    scores = arrays["calibration_scores"]
    names, groups = tuple(header["feature_names_in"]), tuple(header["group_columns"])
    return params, FittedCombination(
        members,
        tuple(Reference(arrays[f"references/{k}"]) for k in range(len(members))),
        matrix,
        params["rule"],
        Calibration(scores, restored_threshold(header["threshold"]), params["target_fpr"], scores),
        header["n_train"],
        Columns(header["n_features_in"], names, groups=groups),
        header["provenance"],
    )


def _member_to_state(member: Member) -> tuple[dict[str, Any], Arrays]:
    if member.family == "oddgan":
        header, arrays = member.detector.to_state()
        return {"header": header}, arrays
    title = f"member {member.name!r} ({type(member.detector).__name__})"
    if member.family == "pyod":
        raise ValueError(
            f"{title} is PyOD's, which model files cannot hold: pickle the combination"
        )
    from . import sklearn_files  # skops imports all of scikit-learn

    if types := sklearn_files.not_stored(member.detector):
        raise ValueError(
            f"{title} holds {', '.join(types)}, which model files cannot: choose another "
            "algorithm (for neighbours, 'brute'), or pickle the combination"
        )
    stored = np.frombuffer(sklearn_files.to_bytes(member.detector), dtype=np.uint8)
    return {}, {"skops": stored}


def _member_from_state(
    stored: dict[str, Any], arrays: Arrays, device: str | None, path: str
) -> Member:
    name, family = stored["name"], stored["family"]
    if family == "oddgan":
        return Member(name, detectors.restored(stored["header"], arrays, device, path), family)
    from . import sklearn_files

    try:
        return Member(name, sklearn_files.from_bytes(arrays["skops"].tobytes()), family)
    except ValueError as error:
        raise ValueError(f"{path}: member {name!r} {error}") from error
