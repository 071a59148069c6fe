"""What a fit left, as header and arrays of a model file, and back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from math import inf, isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.decisions import ProbaCalibration
from oddgan.health import HealthCheck
from oddgan.scores import FittedComponents, Scale, location_scale_from_state

from .encoding import Encoding
from .fitted import Columns, Fitted, FittedMember
from .hooks import Hooks
from .parameters import renamed

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


# ---------------------------------------------------------------------------------- to a file


def to_state(method: Hooks, fitted: Fitted) -> tuple[Header, Arrays]:
    """Return what a file must hold of a fitted detector: a header for JSON, and arrays."""
    codec, codec_arrays = fitted.encoding.samples.to_state()
    condition = fitted.encoding.condition
    arrays = {f"codec/{name}": array for name, array in codec_arrays.items()}
    members = []
    if len(fitted.members) > 1:
        for k, member in enumerate(fitted.members):
            header, member_arrays = _member_to_state(member)
            members.append({**header, **_decisions_to_state(fitted.of_member(k))})
            arrays |= {f"members/{k}/{name}": a for name, a in member_arrays.items()}
        header, own_arrays = dict(_NO_MEMBER), {"calibration_scores": fitted.calibration_scores}
    else:
        header, own_arrays = _member_to_state(fitted.members[0])
        own_arrays["calibration_scores"] = fitted.calibration_scores
    if fitted.cross_fitted:
        own_arrays["held_out_scores"] = fitted.held_out_scores
    header = {
        "detector": type(method).__name__.lower(),
        "params": storable(method.get_params(deep=False)),
        "fitted_params": storable(fitted.params),
        "codec": codec,
        "condition": condition.to_state()[0] if condition else None,
        "condition_columns": list(fitted.columns.condition),
        "group_columns": list(fitted.columns.groups),
        "n_features_in": fitted.columns.n_features,
        "feature_names_in": list(fitted.columns.names),
        "crossed": fitted.cross_fitted,
        "versions": fitted.versions,
        "provenance": fitted.provenance,
        "members": members,
        **header,
        **_decisions_to_state(fitted),
    }
    return header, {**arrays, **own_arrays}


#: What stands in the header of an ensemble, where a single detector has what one member learned.
_NO_MEMBER: Header = {"parts": None, "part_scale": None, "place_scale": None}


def _member_to_state(member: FittedMember) -> tuple[Header, Arrays]:
    components, component_arrays = member.components.to_state() if member.components else (None, {})
    arrays = {f"parts/{name}": array for name, array in component_arrays.items()}
    arrays["calibration_scores"] = member.calibration_scores
    if len(member.scale_scores):
        arrays["scale_scores"] = member.scale_scores
    for role, network in member.networks.items():
        for name, tensor in network.state_dict().items():
            arrays[f"networks/{role}/{name}"] = tensor.cpu().numpy()
    header = {
        "parts": components,
        "part_scale": asdict(member.component_scale) if member.component_scale else None,
        "place_scale": member.location_scale.to_state() if member.location_scale else None,
    }
    return header, arrays


def _decisions_to_state(fitted: Fitted) -> Header:
    calibration = fitted.proba_calibration
    return {
        "history": fitted.history,
        "n_train": fitted.n_train,
        "threshold": stored_threshold(fitted.threshold),
        "pixel_threshold": fitted.pixel_threshold,
        "proba_calibration": asdict(calibration) if calibration else None,
        "health": [asdict(check) for check in fitted.health_checks],
    }


def storable(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON holds them, without what belongs to the machine that trained."""
    seed = params["random_state"]
    seed = int(seed) if isinstance(seed, int | np.integer) else None
    plain = {name: _plain(value) for name, value in params.items() if name != "checkpoint"}
    return {**plain, "checkpoint": None, "random_state": seed}


def _plain(value: Any) -> Any:
    """Turn NumPy scalars and tuples into what JSON holds."""
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


# -------------------------------------------------------------------------------- from a file


def from_state(method: Hooks, header: Header, arrays: Arrays) -> Fitted:
    """Return what the fit of `method` left, as `to_state` described it.

    The networks are on the device that the method's `device` names.
    """
    params = restored_params(header["fitted_params"])
    condition = header["condition"]
    encoding = Encoding(
        inputs.codec_from_state(header["codec"], below("codec/", arrays)),
        inputs.TableCodec.from_state(condition, {}) if condition else None,
    )
    as_fitted = type(method)(**params)
    device = training.find_device(method.device)
    stored = header.get("members") or [header]
    several = len(stored) > 1
    members = []
    for k, of_member in enumerate(stored):
        member_arrays = below(f"members/{k}/", arrays) if several else arrays
        members.append(_member_from_state(as_fitted, encoding, of_member, member_arrays, device))
    calibration = header.get("proba_calibration")
    return Fitted(
        params=params,
        encoding=encoding,
        columns=Columns(
            header["n_features_in"],
            tuple(header["feature_names_in"]),
            tuple(header["condition_columns"]),
            tuple(header["group_columns"]),
        ),
        members=tuple(members),
        calibration_scores=arrays["calibration_scores"],
        held_out_scores=arrays.get("held_out_scores", arrays["calibration_scores"]),
        threshold=restored_threshold(header["threshold"]),
        history=header.get("history", []),
        n_train=header["n_train"],
        cross_fitted=header.get("crossed", False),
        versions=header["versions"],
        pixel_threshold=header["pixel_threshold"],
        health_checks=tuple(HealthCheck(**fields) for fields in header["health"]),
        provenance=header["provenance"],
        proba_calibration=ProbaCalibration(**with_tuples(calibration)) if calibration else None,
    )


def _member_from_state(
    as_fitted: Hooks, encoding: Encoding, header: Header, arrays: Arrays, device: torch.device
) -> FittedMember:
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    networks = rebuilt(as_fitted, encoding, lambda role: below(f"networks/{role}/", tensors))
    for network in networks.values():
        network.to(device)
    components, locations = None, header.get("place_scale")
    if header["parts"]:
        components = FittedComponents.from_state(
            header["parts"], below("parts/", arrays), as_fitted.space_critic.from_state
        )
    return FittedMember(
        networks,
        header.get("history", []),
        header["n_train"],
        components,
        Scale(**header["part_scale"]) if header["part_scale"] else None,
        location_scale_from_state(locations) if locations else None,
        arrays["calibration_scores"],
        restored_threshold(header["threshold"]),
        arrays.get("scale_scores", arrays["calibration_scores"]),
    )


def stored_threshold(threshold: float) -> float | None:
    """Return the threshold as JSON has it: None for infinity, which nothing exceeds."""
    return threshold if isfinite(threshold) else None


def restored_threshold(stored: float | None) -> float:
    """Return the threshold that `stored_threshold` stored."""
    return inf if stored is None else float(stored)


def rebuilt(
    as_fitted: Hooks, encoding: Encoding, weights: Callable[[str], Mapping[str, Tensor]]
) -> dict[str, nn.Module]:
    """Return the networks of a fitted method with `weights` of each role.

    `as_fitted` has the parameters of the fit: those build the networks.
    """
    networks = as_fitted._build(encoding.samples, encoding.condition_dim, None)
    for role, network in networks.items():
        network.load_state_dict(weights(role), assign=True)
        network.eval()
    return networks


def restored_params(stored: Mapping[str, Any], device: str | None = None) -> dict[str, Any]:
    """Return stored parameters as a constructor takes them, under today's names.

    Parameters
    ----------
    stored : mapping of str to object
        As a file holds them.
    device : {"auto", "cpu", "cuda"}, optional
        Where to compute; by default as stored, or the CPU where that device is not here.
    """
    params = renamed(with_tuples(stored))
    if device:
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda, not {device!r}")
        params["device"] = device
    elif params["device"] == "cuda" and not torch.cuda.is_available():
        params["device"] = "cpu"
    return params


def with_tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of a file with tuples where JSON has lists."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}


def below(prefix: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays whose names start with `prefix`, without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


# ---------------------------------------------------------------------------------- for pickle


def with_weights_only(fitted: Fitted) -> Fitted:
    """Return `fitted` with weights instead of networks: some modules refuse to be pickled."""
    return _with_networks(
        fitted,
        [
            {role: net.state_dict() for role, net in member.networks.items()}
            for member in fitted.members
        ],
    )


def with_networks_again(method: Hooks, fitted: Fitted) -> Fitted:
    """Return what `with_weights_only` was made of."""
    as_fitted = type(method)(**fitted.params)
    return _with_networks(
        fitted,
        [
            rebuilt(as_fitted, fitted.encoding, member.networks.__getitem__)  # type: ignore[arg-type]
            for member in fitted.members
        ],
    )


def _with_networks(fitted: Fitted, networks: Sequence[Mapping[str, Any]]) -> Fitted:
    members = zip(fitted.members, networks, strict=True)
    return replace(fitted, members=tuple(replace(m, networks=nets) for m, nets in members))
