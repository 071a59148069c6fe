"""A fitted combination as header and arrays of a model file, and back.

Detectors of OddGAN are stored as they store themselves, those of scikit-learn by skops. No pickle
is read and no code of the file is run.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oddgan import detectors, inputs

from ._members import MatrixCodec, Member
from ._rules import Reference

if TYPE_CHECKING:
    from ._combination import Combination

Arrays = dict[str, NDArray[Any]]


def dump(combination: "Combination") -> tuple[dict[str, Any], Arrays]:
    """Return what a file must hold of a fitted combination.

    Raises
    ------
    ValueError
        A member cannot be stored; the message names it.
    """
    arrays = {"calibration_scores": combination.calibration_scores_}
    members = []
    for k, (member, reference) in enumerate(
        zip(combination._members, combination._references, strict=True)
    ):
        header, of_member = _dump_member(member)
        members.append({"name": member.name, "family": member.family, **header})
        arrays |= {f"members/{k}/{name}": array for name, array in of_member.items()}
        arrays[f"references/{k}"] = reference.scores
    matrix = combination._matrix
    codec, codec_arrays = matrix.codec.to_state() if matrix else (None, {})
    arrays |= {f"codec/{name}": array for name, array in codec_arrays.items()}
    seed = combination.random_state
    header = {
        "combination": {
            "rule": combination.rule_,
            "target_fpr": combination.target_fpr,
            "calibration_fraction": combination.calibration_fraction,
            "random_state": int(seed) if isinstance(seed, int | np.integer) else None,
        },
        "members": members,
        "codec": codec,
        "plain": bool(matrix and matrix.plain),
        "threshold": combination.threshold_,
        "n_train": combination.n_train_,
        "group_columns": list(combination.group_columns_),
        "n_features_in": getattr(combination, "n_features_in_", None),
        "feature_names_in": list(getattr(combination, "feature_names_in_", [])),
        "provenance": combination.provenance_,
    }
    return header, arrays


def restored(
    header: dict[str, Any], arrays: Arrays, device: str | None, path: str
) -> "Combination":
    """Return the fitted combination of which a model file holds `header` and `arrays`.

    Raises
    ------
    ValueError
        A member is of a kind, or of a version, that is not read; the message names it.
    """
    from ._combination import Combination

    members = [
        _load_member(stored, _below(f"members/{k}/", arrays), device, path)
        for k, stored in enumerate(header["members"])
    ]
    pairs = [(member.name, member.detector) for member in members]
    found = Combination(pairs, **header["combination"])
    references = [Reference(arrays[f"references/{k}"]) for k in range(len(members))]
    matrix = None
    if header["codec"]:
        codec = inputs.codec_from_state(header["codec"], _below("codec/", arrays))
        matrix = MatrixCodec(codec, header["plain"])
    found._adopt(members, matrix)
    found._references = references
    found.rule_ = found.rule
    found.calibration_scores_ = arrays["calibration_scores"]
    found.threshold_ = header["threshold"]
    found.offset_ = -found.threshold_
    found.n_train_ = header["n_train"]
    found.group_columns_ = header["group_columns"]
    found.provenance_ = header["provenance"]
    if header["n_features_in"] is not None:
        found.n_features_in_ = header["n_features_in"]
    if header["feature_names_in"]:
        found.feature_names_in_ = np.array(header["feature_names_in"], dtype=object)
    return found


def _dump_member(member: Member) -> tuple[dict[str, Any], Arrays]:
    if member.family == "oddgan":
        header, arrays = member.detector.stored()
        return {"header": header}, arrays
    what = f"member {member.name!r} ({type(member.detector).__name__})"
    if member.family == "pyod":
        raise ValueError(f"{what} is PyOD's, which model files do not hold: pickle the combination")
    from . import _sklearn  # skops imports all of scikit-learn

    if unknown := _sklearn.not_stored(member.detector):
        raise ValueError(
            f"{what} holds {', '.join(unknown)}, which model files do not: choose another "
            "algorithm (of neighbours, 'brute'), or pickle the combination"
        )
    return {}, {"skops": np.frombuffer(_sklearn.dump(member.detector), dtype=np.uint8)}


def _load_member(stored: dict[str, Any], arrays: Arrays, device: str | None, path: str) -> Member:
    name, family = stored["name"], stored["family"]
    if family == "oddgan":
        return Member(name, detectors.restored(stored["header"], arrays, device, path), family)
    from . import _sklearn

    try:
        return Member(name, _sklearn.load(arrays["skops"].tobytes()), family)
    except ValueError as error:
        raise ValueError(f"{path}: member {name!r} {error}") from error


def _below(prefix: str, arrays: Arrays) -> Arrays:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
