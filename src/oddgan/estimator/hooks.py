"""What the author of a method implements: its networks, its losses and its score."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.networks import Scheme, condition_layers, initialise
from oddgan.scores import COMBINATIONS, SHARED_COMPONENTS, Score

from .parameters import parameter
from .shared_parameters import SharedParameters

#: The name of a score, or the names of the components that make one.
ScoreName = str | Sequence[str]
Networks = Mapping[str, nn.Module]


@dataclass(frozen=True)
class NetworkSpec:
    """What a method needs to know to build its networks.

    Attributes
    ----------
    kind : {"table", "image"}
        Kind of the samples.
    shape : tuple of int
        Shape of an encoded sample, (d,) or (c, h, w).
    blocks : list of inputs.Block
        Which encoded inputs are Gaussian, Bernoulli or categorical.
    latent_dim : int
        Size of the latent vector.
    width : int or None
        Size of the networks.
    condition_dim : int
        Length of the encoded condition of a sample; 0 without one.
    """

    kind: str
    shape: tuple[int, ...]
    blocks: list[inputs.Block]
    latent_dim: int
    width: int | None
    condition_dim: int = 0


class MethodInfo(SharedParameters):
    """What a class says about its method."""

    #: Where the method was published.
    reference: ClassVar[str]
    #: The method's own scores by name, the default first.
    scores: ClassVar[tuple[str, ...]] = ()
    #: The kinds of samples that it takes.
    kinds: ClassVar[tuple[str, ...]] = ("table", "image")
    #: Settings by name, for :meth:`from_preset`.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Outputs ("explain", "reconstruct", "embed") that it cannot give, and why.
    unavailable: ClassVar[dict[str, str]] = {}
    #: Whether the weights have a closed form: no training steps, no losses.
    closed_form: ClassVar[bool] = False

    score_name: Any = parameter(default=None, constraint=[None], type_text="str or sequence of str")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "scores" in vars(cls):
            names = {*COMBINATIONS, *SHARED_COMPONENTS, *cls._score_names()}
            cls.score_name = parameter(
                default=cls.scores[0],
                constraint=[StrOptions(names), tuple, list],
                type_text="str or sequence of str",
            )
        super().__init_subclass__(**kwargs)

    @classmethod
    def _score_names(cls) -> tuple[str, ...]:
        """Return the names that `score_name` takes beside the shared components."""
        return cls.scores

    @classmethod
    def changed_defaults(cls) -> dict[str, Any]:
        """Return the shared parameters that have another default here."""
        shared = SharedParameters.parameters
        defaults = {name: cls.parameters[name].default for name in shared}
        return {name: value for name, value in defaults.items() if value != shared[name].default}

    @classmethod
    def from_preset(cls, name: str, **params: Any) -> Self:
        """Return a detector with the settings called `name` in `presets`, then `params`."""
        if name not in cls.presets:
            known = ", ".join(cls.presets) or "none"
            raise ValueError(f"{cls.__name__} has no preset {name!r}; it has: {known}")
        return cls(**{**cls.presets[name], **params})


class Hooks(MethodInfo, metaclass=ABCMeta):
    """A method: its networks, its losses and its score, and how they are trained.

    The three abstract hooks make a method; the others have defaults. A hook reads the parameters
    of its method from ``self``. It takes the name of the score as an argument, since a fitted
    detector can be asked for several scores, and it never changes ``self``.
    """

    #: Whether the members of an ensemble train in one pass (`training.ensemble` has the
    #: conditions), not one after the other.
    _in_one_pass: ClassVar[bool] = True
    #: Whether the generator learned to make samples from draws z ~ N(0, I) ("sampled"), and
    #: whether the encoder is to give latents that look like such draws ("matched"); None is
    #: neither.
    prior: ClassVar[Literal["sampled", "matched"] | None] = None
    #: Whether scoring searches for a latent of each sample, which takes hundreds of times as long.
    _searches: ClassVar[bool] = False

    #: The critic of neighbourhoods, fitted in one space, as a component of any method's score. The
    #: critic is a detector itself, so `oddgan.detectors` puts it here.
    space_critic: ClassVar[Any]

    # The paper's settings, where a parameter is None, by kind of the samples.
    _betas: ClassVar[tuple[float, float]] = (0.5, 0.999)
    _learning_rates: ClassVar[dict[str, float]] = {"table": 1e-3, "image": 2e-4}
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 200}
    #: Whether the latent vector is at most half as long as a row of a table: without a bottleneck
    #: nothing forces a reconstruction to err.
    _bottleneck: ClassVar[bool] = False
    _initialisation: ClassVar[dict[str, Scheme]] = {"table": "xavier", "image": "normal"}
    #: The methods that yield the losses, one for each stage of training; each stage has all steps
    #: of a fit. `_stages_of` names them where tables and images differ.
    _stages: ClassVar[tuple[str, ...]] = ("_losses",)
    #: The roles that `_reconstruct` a sample and train together, so that a squared error of
    #: reconstruction may be added to their losses; empty where that is not so.
    _autoencoder: ClassVar[tuple[str, ...]] = ()
    #: The role that takes the sample where the method's own losses reconstruct it, if any:
    #: `denoise` corrupts its input.
    _denoised: ClassVar[str | None] = None
    #: Own scores that gain where training shifts its images: those that compare latents.
    _gain_from_shifts: ClassVar[frozenset[str]] = frozenset()

    # ------------------------------------------------------------------------ the three hooks

    @abstractmethod
    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        """Return the networks by role; built on the meta device, weights come later."""

    @abstractmethod
    def _losses(self, nets: Networks, x: Tensor, z: Tensor) -> Iterator[training.Loss]:
        """Yield the losses of one training step.

        `x` are samples, and `z` as many latent draws from N(0, I). The code after a yield runs
        after the networks of that loss were updated. There are `_batches_per_step` times
        `batch_size` samples, unless there are fewer in all.
        """

    @abstractmethod
    def _score(self, nets: Networks, x: Tensor, score: str) -> Score:
        """Return the score of samples `x` that is called `score`, one of `scores`.

        The networks are in evaluation mode.
        """

    # ------------------------------------------------------------------------ other outputs

    def _explain(self, nets: Networks, x: Tensor, score: str) -> tuple[Tensor, Tensor | None]:
        """Return how much each input contributes to the score, at least 0, and what was expected.

        Both have the shape of samples `x`. The second is None for images, and for a method that
        does not reconstruct.
        """
        reconstructs = x.ndim == 2 and "reconstruct" not in self.unavailable
        expected = self._reconstruct(nets, x, score) if reconstructs else None
        return self._score(nets, x, score).residual, expected

    def _embed(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        """Return the latent vectors of samples `x`, shape (n, latent_dim).

        A method that searches for them may search by what `score` measures.
        """
        return nets["encoder"](x)  # type: ignore[no-any-return]

    def _reconstruct(self, nets: Networks, x: Tensor, score: str) -> Tensor:
        """Return the nearest normal reconstruction of samples `x`, in their shape."""
        return nets["generator"](self._embed(nets, x, score))  # type: ignore[no-any-return]

    def _features(self, nets: Networks, x: Tensor) -> Tensor:
        """Return the discriminator's last hidden layer f for samples `x`, shape (n, k)."""
        raise NotImplementedError

    @classmethod
    def decodes_latents(cls) -> bool:
        """Return whether the reconstruction is G(z) of the latent, so that any z can be decoded."""
        return cls._reconstruct is Hooks._reconstruct

    @classmethod
    def without_features(cls) -> str | None:
        """Return why the method has no features of a discriminator; None if it has."""
        if cls._features is Hooks._features:
            return "it has no discriminator with a hidden layer to measure in"
        return None

    # ------------------------------------------------------------------------ training

    def _stages_of(self, kind: str) -> tuple[str, ...]:
        return self._stages

    @property
    def _batches_per_step(self) -> int:
        return 1

    def _solve(self, nets: Networks, chunks: Iterator[Tensor]) -> None:
        """Fill the weights of a `closed_form` method from all training samples, in chunks."""
        raise NotImplementedError

    def _begin(self, nets: Networks, stage: int, chunks: Iterator[Tensor]) -> None:
        """Fill what `nets` must know of all training samples, in chunks, before a stage.

        `stage` is its number. The networks are in training mode and have the weights that the
        stage begins with. What is filled must be a buffer: a run that resumes within the stage
        finds it there.
        """

    def _finish(self, nets: Networks, chunks: Iterator[Tensor]) -> None:
        """Fill what the trained `nets` must know of all training samples, given in chunks."""

    def _optimizer(
        self, role: str, parameters: list[nn.Parameter], kind: str
    ) -> torch.optim.Optimizer:
        """Return the optimiser of the network with this role, for this kind of samples."""
        return torch.optim.Adam(
            parameters,
            lr=self.learning_rate or self._learning_rates[kind],
            betas=self._betas,
            fused=True,
        )

    # ------------------------------------------------------------------------ building

    def _spec(self, codec: inputs.Codec, condition_dim: int = 0) -> NetworkSpec:
        latent_dim = self.latent_dim or self._latent_dims[codec.kind]
        if self._bottleneck and self.latent_dim is None and isinstance(codec, inputs.TableCodec):
            latent_dim = max(1, min(latent_dim, codec.n_free // 2))
        return NetworkSpec(
            codec.kind, codec.shape, codec.blocks(), latent_dim, self.width, condition_dim
        )

    def _build(
        self, codec: inputs.Codec, condition_dim: int, generator: torch.Generator | None
    ) -> dict[str, nn.Module]:
        """Return the networks on the CPU, with weights from `generator` or, if None, without."""
        with torch.device("meta"):
            networks = self._networks(self._spec(codec, condition_dim))
            if condition_dim:
                by_role = nn.ModuleDict(networks)
                condition_layers(by_role, condition_dim)
                networks = dict(by_role.items())
        if generator:
            for network in networks.values():
                initialise(network, self._initialisation[codec.kind], generator)
        return networks
