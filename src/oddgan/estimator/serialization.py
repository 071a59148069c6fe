"""A fitted detector as header and arrays of a model file, and back."""

import importlib.metadata
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.decisions import ProbaCalibration
from oddgan.scores import FittedComponents, Scale, location_scale_from_state

from . import health_checks
from .ensemble import networks_of, new_members

if TYPE_CHECKING:
    from .detector import Detector


def dump(detector: "Detector") -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what a file must hold of a fitted detector."""
    codec, codec_arrays = detector.codec_.to_state()
    arrays = {f"codec/{name}": array for name, array in codec_arrays.items()}
    context = detector.condition_codec_
    members = [_learnt(member) for member in detector.members_]
    for k, (_, learnt) in enumerate(members):
        arrays |= {f"members/{k}/{name}": array for name, array in learnt.items()}
    own, learnt = _learnt(detector)
    header = {
        "detector": type(detector).__name__.lower(),
        "params": storable(detector.get_params(deep=False)),
        "fitted_params": storable(detector.fitted_params_),
        "codec": codec,
        "condition": context.to_state()[0] if context else None,
        "condition_columns": list(detector.condition_columns_),
        "group_columns": list(detector.group_columns_),
        "n_features_in": getattr(detector, "n_features_in_", None),
        "feature_names_in": list(getattr(detector, "feature_names_in_", [])),
        "crossed": detector.crossed_,
        "versions": detector.versions_,
        "provenance": detector.provenance_,
        "members": [of_member for of_member, _ in members],
        **own,
    }
    return header, {**arrays, **learnt}


def _learnt(detector: "Detector") -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what a detector, or a member of a population, has learnt beyond the encoding."""
    calibration = getattr(detector, "proba_calibration_", None)
    parts, parts_arrays = detector.parts_.to_state() if detector.parts_ else (None, {})
    arrays = {f"parts/{name}": array for name, array in parts_arrays.items()}
    arrays["calibration_scores"] = detector.calibration_scores_
    if not detector.members_:
        for role, network in detector.networks_.items():
            for name, tensor in network.state_dict().items():
                arrays[f"networks/{role}/{name}"] = tensor.cpu().numpy()
    header = {
        "history": detector.history_,
        "n_train": detector.n_train_,
        "threshold": detector.threshold_,
        "pixel_threshold": detector.pixel_threshold_,
        "parts": parts,
        "proba_calibration": asdict(calibration) if calibration else None,
        "part_scale": asdict(detector.part_scale_) if detector.part_scale_ else None,
        "place_scale": detector.place_scale_.to_state() if detector.place_scale_ else None,
        "health": health_checks.state(detector.health_checks_),
    }
    return header, arrays


def versions() -> dict[str, str]:
    """Return the versions of what decides what a fit becomes."""
    found = {name: importlib.metadata.version(name) for name in ("oddgan", "torch")}
    return {**found, "python": platform.python_version()}


def restore(
    detectors: Mapping[str, "type[Detector]"],
    header: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    device: str | None,
    path: str,
) -> "Detector":
    """Rebuild the fitted detector that `dump` described."""
    if header["detector"] not in detectors:
        raise ValueError(
            f"{path} holds a {header['detector']}, which this version of OddGAN does not have"
        )
    params = as_given(header["params"])
    if device:
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, not {device!r}")
        params["device"] = device
    elif params["device"] == "cuda" and not torch.cuda.is_available():
        params["device"] = "cpu"
    detector = detectors[header["detector"]](**params)
    detector.fitted_params_ = as_given(header["fitted_params"])
    detector.codec_ = inputs.codec_from_state(header["codec"], _below("codec/", arrays))
    detector.condition_columns_ = header["condition_columns"]
    detector.group_columns_ = header["group_columns"]
    detector.condition_codec_ = None
    if header["condition"]:
        detector.condition_codec_ = inputs.TableCodec.from_state(header["condition"], {})
    detector.n_train_ = header["n_train"]
    detector.crossed_ = header.get("crossed", False)
    detector.versions_ = header["versions"]
    detector.provenance_ = header["provenance"]
    if header["n_features_in"] is not None:
        detector.n_features_in_ = header["n_features_in"]
    if header["feature_names_in"]:
        detector.feature_names_in_ = np.array(header["feature_names_in"], dtype=object)
    detector.members_ = new_members(detector, len(header.get("members", [])))
    for k, member in enumerate(detector.members_):
        _relearn(member, header["members"][k], _below(f"members/{k}/", arrays))
    _relearn(detector, header, arrays)
    return detector


def _relearn(
    detector: "Detector", header: Mapping[str, Any], arrays: dict[str, NDArray[Any]]
) -> None:
    """Give a detector, or a member of a population, what `_learnt` described."""
    if detector.members_:
        detector.networks_ = networks_of(detector.members_)
    else:
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        detector.networks_ = rebuilt(detector, lambda role: _below(f"networks/{role}/", tensors))
        place = training.find_device(detector.device)
        for network in detector.networks_.values():
            network.to(place)
    detector.history_ = header.get("history", [])
    detector.n_train_ = header.get("n_train", detector.n_train_)
    detector.calibration_scores_ = arrays["calibration_scores"]
    detector.part_scale_ = Scale(**header["part_scale"]) if header["part_scale"] else None
    places = header.get("place_scale")
    detector.place_scale_ = location_scale_from_state(places) if places else None
    detector.parts_ = None
    if header["parts"]:
        from oddgan.detectors._critics import (
            SpaceCritic,  # it holds a detector, which is stored as all are
        )

        arrays_of_parts = _below("parts/", arrays)
        detector.parts_ = FittedComponents.from_state(
            header["parts"], arrays_of_parts, SpaceCritic.from_state
        )
    detector.health_checks_ = health_checks.restored(header["health"])
    _restore_probabilities(detector, header.get("proba_calibration"))
    detector.pixel_threshold_ = header["pixel_threshold"]
    detector.threshold_ = header["threshold"]
    detector.offset_ = -detector.threshold_


def _restore_probabilities(detector: "Detector", stored: dict[str, Any] | None) -> None:
    if stored:
        detector.proba_calibration_ = ProbaCalibration(**as_given(stored))


def rebuilt(
    detector: "Detector", weights: Callable[[str], Mapping[str, Tensor]]
) -> dict[str, nn.Module]:
    """Return the networks of a fitted detector with `weights` of each role, where these are.

    They are built by the parameters of the fit; `set_params` may have changed them since.
    """
    as_fitted = type(detector)(**detector.fitted_params_)
    networks = as_fitted._build(detector.codec_, detector._encoding.condition_dim, None)
    for role, network in networks.items():
        network.load_state_dict(weights(role), assign=True)
        network.eval()
    return networks


def _below(prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def storable(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON holds them, without what is of the machine that trained."""
    seed = params["random_state"]
    seed = int(seed) if isinstance(seed, int | np.integer) else None
    plain = {name: _plain(value) for name, value in params.items() if name != "checkpoint"}
    return {**plain, "checkpoint": None, "random_state": seed}


def as_given(params: dict[str, Any]) -> dict[str, Any]:
    """Return stored parameters as a constructor takes them: JSON has no tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in params.items()}


def _plain(value: Any) -> Any:
    """Turn NumPy scalars and tuples into what JSON holds."""
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
