"""Parts of a score that any detector may have: how far from normal samples, in which space.

Each is a measure in a space: ``latent_density`` is the local density in the latent space. The
spaces are those of the input, of the residual, of the latent vector and of the discriminator's
features; what measures in them knows nothing of where they come from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .gaussian import MOST_COVARIATES, Gaussian
from .neighbours import N_NEIGHBOURS, Floats, NeighborIndex, finite_rows
from .scale import RobustScale

#: The parts by name.
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
#: Scores made of several parts, by name; a part that is there twice counts twice.
COMBINATIONS = {
    "local": ("residual_relative", "latent_density", "latent_knn"),
    "local_and_input": (
        *("residual_relative", "latent_density", "latent_knn"),
        *("residual_relative", "input_density", "input_knn"),
    ),
}
#: Parts that are odd on both sides: what is easier to reconstruct than its like is odd, too.
_TWO_SIDED = frozenset({"residual_relative"})

#: Parts that are distances, and scaled by their logarithm; what a critic says is none.
_DISTANCES = frozenset(name for name in SHARED_COMPONENTS if not name.endswith("_critic"))

#: Samples in each space, (n, d), by its name.
Spaces = Mapping[str, NDArray[Any]]


def spaces_needed(names: Sequence[str]) -> set[str]:
    """Return the spaces that these parts measure in; others than shared parts need none."""
    shared = [name for name in names if name in SHARED_COMPONENTS]
    beside = {"latent"} if "residual_relative" in shared else set()
    return {_split(name)[0] for name in shared} | beside


def check_length(names: Sequence[str], space: str, d: int) -> None:
    """Refuse the covariance of too many numbers.

    Raises
    ------
    ValueError
        One of these parts would be a Mahalanobis distance of `d` numbers, the length of `space`.
    """
    name = f"{space}_mahalanobis"
    if name in names and d > MOST_COVARIATES:
        raise ValueError(
            f"score: {name} needs the covariance of {d} numbers, and at most {MOST_COVARIATES} "
            f"are supported; take {'residual_relative' if space == 'residual' else f'{space}_knn'}"
        )


class Critic(Protocol):
    """Something trained that tells how odd rows of one space look."""

    def distance(self, rows: NDArray[Any]) -> Floats:
        """Return how odd each row is, shape (n,); higher is odder."""

    def nearest(self, rows: NDArray[Any]) -> tuple[Floats, Floats]:
        """Return what is expected of each row, and what each number adds, both (n, d)."""

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a file must hold: what JSON can, and arrays."""


@dataclass(frozen=True)
class FittedComponents:
    """What the shared parts of a score know of normal samples.

    Attributes
    ----------
    n_nearest : int
        Neighbours that the ``knn`` parts take the mean distance to.
    references : mapping of str to NeighborIndex
        By space, training samples to measure distances to.
    gaussians : mapping of str to Gaussian
        By space, mean and covariance of training samples.
    critics : mapping of str to Critic
        By space, a critic that was trained there.
    scale : RobustScale or None
        The scale of each part over held-out normal samples.
    """

    n_nearest: int
    references: Mapping[str, NeighborIndex]
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
        """Learn what the parts `names` need from training samples in each space."""
        split = [_split(name) for name in names if name in SHARED_COMPONENTS]
        near = _near(split)
        errors = _mean_squares(spaces["residual"]) if "residual_relative" in names else None
        references = {
            space: NeighborIndex.fit(
                spaces[space],
                # Only the latent space has axes without a common unit.
                standardised=space == "latent",
                errors=errors if space == "latent" else None,
            )
            for space in sorted(near)
        }
        covered = sorted({space for space, measure in split if measure == "mahalanobis"})
        judged = sorted({space for space, measure in split if measure == "critic"})
        return cls(
            n_nearest,
            references,
            {space: Gaussian.fit(spaces[space]) for space in covered},
            {space: train_critic(spaces[space]) for space in judged},
        )

    def scaled(self, parts: Mapping[str, Floats]) -> Self:
        """Return the same with the scale that `parts` have over held-out normal samples."""
        return replace(self, scale=RobustScale.fit(parts, _DISTANCES))

    def measure(self, names: Sequence[str], spaces: Spaces) -> dict[str, Floats]:
        """Return the shared parts among `names`, unscaled, for samples in each space; (n,) each.

        A ``mahalanobis`` part is the distance from the mean in units of the covariance; ``knn``
        the mean distance to the nearest references; ``density`` that to `N_NEIGHBOURS` of them,
        divided by the mean of their own; ``critic`` what the critic says; ``residual_relative`` the
        mean square of the residual, divided by the mean of theirs.
        """
        split = {name: _split(name) for name in names if name in SHARED_COMPONENTS}
        ks = sorted({self.n_nearest, N_NEIGHBOURS})
        near = {
            space: self.references[space].near(spaces[space], ks)
            for space in sorted(_near(split.values()))
        }
        found = {}
        for name, (space, measure) in split.items():
            if measure == "mahalanobis":
                found[name] = self.gaussians[space].distance(spaces[space])
            elif measure == "critic":
                found[name] = self.critics[space].distance(spaces[space])
            elif measure == "knn":
                found[name] = near[space][self.n_nearest].distance
            elif measure == "density":
                around = near[space][N_NEIGHBOURS]
                found[name] = around.distance / around.radius
            else:
                error = near["latent"][N_NEIGHBOURS].error
                found[name] = _mean_squares(spaces[space]) / error
        return found

    def total(self, names: Sequence[str], parts: Mapping[str, Floats]) -> Floats:
        """Return the mean of `parts` on the scale of held-out normal samples, shape (n,).

        One that is named twice counts twice.
        """
        scaled = self.scaled_components(parts)
        mean: Floats = np.mean([scaled[name] for name in names], axis=0)
        return mean

    def scaled_components(self, parts: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return `parts` as the score counts them: on the scale of held-out normal samples."""
        assert self.scale
        scaled = self.scale.apply(parts)
        return {n: np.abs(part) if n in _TWO_SIDED else part for n, part in scaled.items()}

    @property
    def names(self) -> frozenset[str]:
        """The parts that were learnt, and have a scale."""
        return frozenset(self.scale.medians) if self.scale else frozenset()

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a file must hold: what JSON can, and arrays."""
        critics = {space: critic.to_state() for space, critic in self.critics.items()}
        header = {
            "n_nearest": self.n_nearest,
            "references": sorted(self.references),
            "gaussians": sorted(self.gaussians),
            "critics": {space: told for space, (told, _) in critics.items()},
            "scale": asdict(self.scale) if self.scale else None,
        }
        states = {f"references/{s}": known.to_state() for s, known in self.references.items()}
        states |= {f"gaussians/{s}": known.to_state() for s, known in self.gaussians.items()}
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
        """Return what `to_state` described."""

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


def _near(split: Iterable[tuple[str, str]]) -> set[str]:
    """Return the spaces in which (space, measure) pairs go by references."""
    by_references = ("knn", "density", "relative")
    return {"latent" if m == "relative" else s for s, m in split if m in by_references}


def _split(name: str) -> tuple[str, str]:
    space, _, measure = name.partition("_")
    return space, measure


def _mean_squares(residual: NDArray[Any]) -> Floats:
    squares: Floats = np.square(finite_rows(residual)).mean(1)
    return squares
