"""Score components that any detector may have: the distance from normal samples in some space.

Each is a measure in a space: ``latent_density`` is the local density in the latent space. The
spaces are those of the input, the residual, the latent vector and the discriminator's features;
the measures do not depend on where these come from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .gaussian import MOST_COVARIATES, Gaussian
from .neighbours import N_NEIGHBOURS, Floats, NeighborIndex, finite_rows
from .scale import RobustScale

#: Names of the components.
SHARED_COMPONENTS = (
    "residual_mahalanobis",
    "residual_relative",
    "latent_mahalanobis",
    "latent_knn",
    "latent_density",
    "latent_critic",
    "feature_mahalanobis",
    "feature_knn",
    "feature_density",
    "feature_critic",
    "input_knn",
    "input_density",
    "input_critic",
)
#: Scores made of several components, by name; a component that is listed twice counts twice.
COMBINATIONS = {
    "local": ("residual_relative", "latent_density", "latent_knn"),
    "local_and_input": (
        *("residual_relative", "latent_density", "latent_knn"),
        *("residual_relative", "input_density", "input_knn"),
    ),
}
#: Components that are anomalous on both sides: a sample that is easier to reconstruct than its
#: neighbours is anomalous, too.
_TWO_SIDED = frozenset({"residual_relative"})

#: Components that are distances, and on a logarithmic scale; the score of a critic is not one.
_DISTANCES = frozenset(name for name in SHARED_COMPONENTS if not name.endswith("_critic"))

#: Samples in each space, (n, d), by its name.
Spaces = Mapping[str, NDArray[Any]]


def spaces_needed(names: Sequence[str]) -> set[str]:
    """Return the spaces that the shared components among `names` measure in."""
    shared = [name for name in names if name in SHARED_COMPONENTS]
    latent = {"latent"} if "residual_relative" in shared else set()
    return {_split(name)[0] for name in shared} | latent


def check_length(names: Sequence[str], space: str, d: int) -> None:
    """Raise an error if a Mahalanobis distance in `space` would have too many dimensions.

    Raises
    ------
    ValueError
        `names` has the Mahalanobis distance in `space`, whose dimension `d` is too large for it.
    """
    name = f"{space}_mahalanobis"
    if name in names and d > MOST_COVARIATES:
        alternative = "residual_relative" if space == "residual" else f"{space}_knn"
        raise ValueError(
            f"score_name: {name} needs the covariance of {d} numbers, but at most "
            f"{MOST_COVARIATES} are supported; use {alternative}"
        )


class Critic(Protocol):
    """A trained model that scores rows of one space."""

    def distance(self, rows: NDArray[Any]) -> Floats:
        """Return the score of each row, shape (n,); higher is more anomalous."""

    def nearest(self, rows: NDArray[Any]) -> tuple[Floats, Floats]:
        """Return the expected value of each row, and each feature's contribution, both (n, d)."""

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return JSON values and arrays to save."""


@dataclass(frozen=True)
class FittedComponents:
    """The shared components of a score, fitted to normal samples.

    Attributes
    ----------
    n_nearest : int
        Neighbours whose mean distance the ``knn`` components use.
    indexes : mapping of str to NeighborIndex
        By space, training samples to measure distances to.
    gaussians : mapping of str to Gaussian
        By space, mean and covariance of training samples.
    critics : mapping of str to Critic
        By space, a critic that was trained there.
    scale : RobustScale or None
        The scale of each component over held-out normal samples.
    """

    n_nearest: int
    indexes: Mapping[str, NeighborIndex]
    gaussians: Mapping[str, Gaussian]
    critics: Mapping[str, Critic]
    scale: RobustScale | None = None

    @classmethod
    def fit(
        cls,
        names: Sequence[str],
        spaces: Spaces,
        n_nearest: int,
        train_critic: Callable[[NDArray[Any]], Critic],
    ) -> Self:
        """Fit the components `names` to training samples in each space."""
        pairs = [_split(name) for name in names if name in SHARED_COMPONENTS]
        errors = _mean_squares(spaces["residual"]) if "residual_relative" in names else None
        indexes = {
            space: NeighborIndex.fit(
                spaces[space],
                # Only the axes of the latent space have no common unit.
                standardised=space == "latent",
                errors=errors if space == "latent" else None,
            )
            for space in sorted(_indexed_spaces(pairs))
        }
        with_gaussian = sorted({space for space, measure in pairs if measure == "mahalanobis"})
        with_critic = sorted({space for space, measure in pairs if measure == "critic"})
        return cls(
            n_nearest,
            indexes,
            {space: Gaussian.fit(spaces[space]) for space in with_gaussian},
            {space: train_critic(spaces[space]) for space in with_critic},
        )

    def scaled(self, components: Mapping[str, Floats]) -> Self:
        """Return a copy with the scale of `components`, those of held-out normal samples."""
        return replace(self, scale=RobustScale.fit(components, _DISTANCES))

    def measure(self, names: Sequence[str], spaces: Spaces) -> dict[str, Floats]:
        """Return the shared components among `names`, unscaled, for samples in each space; (n,).

        ``mahalanobis`` is the distance from the mean in units of the covariance; ``knn`` the mean
        distance to the nearest references; ``density`` the mean distance to the `N_NEIGHBOURS`
        nearest references, divided by the mean of their own; ``critic`` the score of the critic;
        ``residual_relative`` the mean square of the residual, divided by the mean of those of the
        nearest references.
        """
        split = {name: _split(name) for name in names if name in SHARED_COMPONENTS}
        ks = sorted({self.n_nearest, N_NEIGHBOURS})
        neighbors = {
            space: self.indexes[space].neighbors(spaces[space], ks)
            for space in sorted(_indexed_spaces(split.values()))
        }
        components = {}
        for name, (space, measure) in split.items():
            if measure == "mahalanobis":
                components[name] = self.gaussians[space].distance(spaces[space])
            elif measure == "critic":
                components[name] = self.critics[space].distance(spaces[space])
            elif measure == "knn":
                components[name] = neighbors[space][self.n_nearest].distance
            elif measure == "density":
                statistics = neighbors[space][N_NEIGHBOURS]
                components[name] = statistics.distance / statistics.radius
            else:
                error = neighbors["latent"][N_NEIGHBOURS].error
                components[name] = _mean_squares(spaces[space]) / error
        return components

    def total(self, names: Sequence[str], components: Mapping[str, Floats]) -> Floats:
        """Return the mean of `components` on the scale of held-out normal samples, shape (n,).

        A component that is listed twice counts twice.
        """
        scaled = self.scaled_components(components)
        mean: Floats = np.mean([scaled[name] for name in names], axis=0)
        return mean

    def scaled_components(self, components: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return `components` as the score counts them: on the scale of held-out normal samples."""
        assert self.scale
        scaled = self.scale.apply(components)
        return {n: np.abs(values) if n in _TWO_SIDED else values for n, values in scaled.items()}

    @property
    def names(self) -> frozenset[str]:
        """The fitted components, which have a scale."""
        return frozenset(self.scale.medians) if self.scale else frozenset()

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return JSON values and arrays to save."""
        critics = {space: critic.to_state() for space, critic in self.critics.items()}
        header = {
            "n_nearest": self.n_nearest,
            "references": sorted(self.indexes),
            "gaussians": sorted(self.gaussians),
            "critics": {space: values for space, (values, _) in critics.items()},
            "scale": asdict(self.scale) if self.scale else None,
        }
        states = {f"references/{s}": index.to_state() for s, index in self.indexes.items()}
        states |= {f"gaussians/{s}": gaussian.to_state() for s, gaussian in self.gaussians.items()}
        states |= {f"critics/{space}": arrays for space, (_, arrays) in critics.items()}
        return header, {
            f"{k}/{name}": a for k, state in states.items() for name, a in state.items()
        }

    @classmethod
    def from_state(
        cls,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        load_critic: Callable[[dict[str, Any], dict[str, NDArray[Any]]], Critic],
    ) -> Self:
        """Return the components whose `to_state` gave `header` and `arrays`."""

        def below(prefix: str) -> dict[str, NDArray[Any]]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        return cls(
            header["n_nearest"],
            {s: NeighborIndex.from_state(below(f"references/{s}/")) for s in header["references"]},
            {s: Gaussian.from_state(below(f"gaussians/{s}/")) for s in header["gaussians"]},
            {
                s: load_critic(h, below(f"critics/{s}/"))
                for s, h in header.get("critics", {}).items()
            },
            RobustScale(**header["scale"]) if header["scale"] else None,
        )


def _indexed_spaces(pairs: Iterable[tuple[str, str]]) -> set[str]:
    """Return the spaces whose nearest neighbours (space, measure) pairs need."""
    measures = ("knn", "density", "relative")
    return {"latent" if m == "relative" else s for s, m in pairs if m in measures}


def _split(name: str) -> tuple[str, str]:
    space, _, measure = name.partition("_")
    return space, measure


def _mean_squares(residual: NDArray[Any]) -> Floats:
    squares: Floats = np.square(finite_rows(residual)).mean(1)
    return squares
