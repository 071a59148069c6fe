"""What a method is made of: the parameters that all share, and the hooks that make one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.networks import Scheme, condition_layers, initialise
from oddgan.scores import COMBINATIONS, SHARED_COMPONENTS, Score

from .parameters import CONSTRAINTS, DOCUMENTATION, SharedParams
from .signature import merge_signature


@dataclass(frozen=True)
class NetworkSpec:
    """What a detector needs to know to build its networks.

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
        Length of the encoded context of a sample; 0 without one.
    """

    kind: str
    shape: tuple[int, ...]
    blocks: list[inputs.Block]
    latent_dim: int
    width: int | None
    condition_dim: int = 0


class Method(BaseEstimator, ABC):  # type: ignore[misc]
    """What a method is made of: parameters, networks, losses and a score."""

    #: Where the method was published.
    reference: ClassVar[str]
    #: The method's own values of the parameter `score`, the default first.
    scores: ClassVar[tuple[str, ...]]
    #: One of them, of `COMBINATIONS`, or the names of parts; hooks read it as one of `scores`.
    score: Any
    #: The kinds of samples that it takes.
    kinds: ClassVar[tuple[str, ...]] = ("table", "image")

    #: Shared parameters whose default is another one for this detector.
    defaults: ClassVar[SharedParams] = {}
    #: Settings by name, for :meth:`from_preset`.
    presets: ClassVar[dict[str, SharedParams]] = {}

    #: Answers ("explain", "reconstruct", "embed") that this method cannot give, and why.
    unavailable: ClassVar[dict[str, str]] = {}
    #: Whether the members of a population are trained in one pass (`training.ensemble` has the
    #: conditions), not one after the other.
    _in_one_pass: ClassVar[bool] = True
    #: Whether the weights have a closed form, which `_solve` computes: no rounds, no losses.
    closed_form: ClassVar[bool] = False

    #: Whether the generator learnt to make samples of draws z ~ N(0, I) ("sampled"), and whether
    #: the encoder is to give latents that look like such draws ("matched"); None is neither.
    prior: ClassVar[Literal["sampled", "matched"] | None] = None
    #: Whether each sample is searched for, so that scoring takes hundreds of times as long.
    _searches: ClassVar[bool] = False

    # The paper's settings, where a parameter is None, by kind of the samples.
    _betas: ClassVar[tuple[float, float]] = (0.5, 0.999)
    _learning_rates: ClassVar[dict[str, float]] = {"table": 1e-3, "image": 2e-4}
    _latent_dims: ClassVar[dict[str, int]] = {"table": 32, "image": 200}
    #: Whether the latent vector is at most half as long as a row of a table: without a bottleneck
    #: nothing forces a reconstruction to err.
    _bottleneck: ClassVar[bool] = False
    _initialisation: ClassVar[dict[str, Scheme]] = {"table": "xavier", "image": "normal"}
    #: The methods that yield the losses, stage after stage; each stage has the rounds of a fit.
    #: `_stages_of` tells them where they are not the same for tables and images.
    _stages: ClassVar[tuple[str, ...]] = ("_losses",)
    #: The roles that `_reconstruct` a sample and are trained together, so that a squared error of
    #: reconstruction may be added to their losses; none where that is not so.
    _autoencoder: ClassVar[tuple[str, ...]] = ()
    #: The role that takes the sample in where the method's own losses reconstruct it, if any:
    #: `denoise` corrupts what it is given.
    _denoised: ClassVar[str | None] = None
    #: Scores of its own that gain where training shifts its images: those that compare latents.
    _gain_from_shifts: ClassVar[frozenset[str]] = frozenset()
    #: Scores of the detectors that it may hand its samples over to, beside its own `scores`.
    _handed_over: ClassVar[frozenset[str]] = frozenset()
    # A detector states those of its own parameters; that of `score` is made of `scores`.
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = {*COMBINATIONS, *SHARED_COMPONENTS, *getattr(cls, "scores", ())}
        names = {"score": [StrOptions(known), tuple, list]} if "scores" in vars(cls) else {}
        inherited = super(cls, cls)._parameter_constraints
        cls._parameter_constraints = {
            **inherited,
            **names,
            **vars(cls).get("_parameter_constraints", {}),
        }
        if "__init__" in vars(cls):
            own = vars(cls)["__init__"]
            own.__signature__ = merge_signature(own, Method.__init__, cls.defaults)
        elif "defaults" in vars(cls):
            raise TypeError(f"{cls.__name__} needs an __init__ to have defaults of its own")
        cls.__doc__ = (cls.__doc__ or "").rstrip() + "\n" + DOCUMENTATION

    def __init__(
        self,
        *,
        latent_dim: int | None = None,
        width: int | None = None,
        epochs: int = 50,
        min_steps: int = 500,
        max_steps: int | None = 3000,
        batch_size: int = 64,
        n_members: int = 1,
        learning_rate: float | None = None,
        ema_decay: float = 0.0,
        reconstruction_weight: float = 0.0,
        denoise: float = 0.0,
        augment: Literal["auto", "shift", "warp"] | None = "auto",
        target_fpr: float = 0.05,
        pixel_fpr: float = 0.01,
        calibration_fraction: float = 0.1,
        combine: Literal["paper", "standardised"] = "paper",
        n_references: int = 10_000,
        scaling: inputs.Scaling = "standard",
        image_size: int | tuple[int, int] | float | None = None,
        patch_size: int | tuple[int, int] | None = None,
        stride: int | tuple[int, int] | None = None,
        patches_per_image: int = 16,
        patch_augment: inputs.PatchAugment | None = None,
        patch_score: inputs.PatchScore = "top",
        by_place: bool = False,
        level_images: bool | float = False,
        channels: Literal["auto", "first", "last"] = "auto",
        stream: bool | Literal["auto"] = "auto",
        device: Literal["auto", "cpu", "cuda"] = "auto",
        precision: str = "32-true",
        checkpoint: Any = None,
        health: bool = True,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.width = width
        self.epochs = epochs
        self.min_steps = min_steps
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.n_members = n_members
        self.learning_rate = learning_rate
        self.ema_decay = ema_decay
        self.reconstruction_weight = reconstruction_weight
        self.denoise = denoise
        self.augment = augment
        self.target_fpr = target_fpr
        self.pixel_fpr = pixel_fpr
        self.calibration_fraction = calibration_fraction
        self.combine = combine
        self.n_references = n_references
        self.scaling = scaling
        self.image_size = image_size
        self.patch_size = patch_size
        self.stride = stride
        self.patches_per_image = patches_per_image
        self.patch_augment = patch_augment
        self.patch_score = patch_score
        self.by_place = by_place
        self.level_images = level_images
        self.channels = channels
        self.stream = stream
        self.device = device
        self.precision = precision
        self.checkpoint = checkpoint
        self.health = health
        self.verbose = verbose
        self.random_state = random_state

    @classmethod
    def from_preset(cls, name: str, **params: Any) -> Self:
        """Return a detector with the settings called `name` in `presets`, then `params`."""
        if name not in cls.presets:
            known = ", ".join(cls.presets) or "none"
            raise ValueError(f"{cls.__name__} has no preset {name!r}; it has: {known}")
        return cls(**{**cls.presets[name], **params})

    @abstractmethod
    def _networks(self, spec: NetworkSpec) -> dict[str, nn.Module]:
        """Return the networks by role; built on the meta device, weights come later."""

    @abstractmethod
    def _losses(
        self, nets: Mapping[str, nn.Module], x: Tensor, z: Tensor
    ) -> Iterator[training.Loss]:
        """Yield the losses of one round for samples `x` and as many latent draws `z` ~ N(0, I).

        What follows a yield runs after the networks of that loss were updated. There are
        `_batches_per_step` times `batch_size` samples, unless there are fewer in all.
        """

    def _stages_of(self, kind: str) -> tuple[str, ...]:
        return self._stages

    @property
    def _batches_per_step(self) -> int:
        return 1

    def _solve(self, nets: Mapping[str, nn.Module], chunks: Iterator[Tensor]) -> None:
        """Fill the weights of a `closed_form` method from all training samples, in chunks."""
        raise NotImplementedError

    def _begin(self, nets: Mapping[str, nn.Module], stage: int, chunks: Iterator[Tensor]) -> None:
        """Fill what `nets` are to know of all training samples, in chunks, before a stage.

        `stage` is its place among the stages. The networks are in training mode, have the weights
        that the stage begins with, and what is filled has to be a buffer of theirs: a run that is
        resumed within the stage finds it there.
        """

    def _finish(self, nets: Mapping[str, nn.Module], chunks: Iterator[Tensor]) -> None:
        """Fill what the trained `nets` are to know of all training samples, given in chunks."""

    @abstractmethod
    def _score(self, nets: Mapping[str, nn.Module], x: Tensor) -> Score:
        """Return the scores of samples `x`; the networks are in evaluation mode."""

    def _explain(self, nets: Mapping[str, nn.Module], x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return how much each input contributes, at least 0, and what was expected there.

        Both in the shape of samples `x`. Of images, and where there is no normal counterpart, the
        second is None.
        """
        known = x.ndim == 2 and "reconstruct" not in self.unavailable
        return self._score(nets, x).residual, self._reconstruct(nets, x) if known else None

    def _embed(self, nets: Mapping[str, nn.Module], x: Tensor) -> Tensor:
        """Return the latent vectors of samples `x`, shape (n, latent_dim)."""
        return nets["encoder"](x)  # type: ignore[no-any-return]

    def _reconstruct(self, nets: Mapping[str, nn.Module], x: Tensor) -> Tensor:
        """Return the nearest normal counterpart of samples `x`, in their shape."""
        return nets["generator"](self._embed(nets, x))  # type: ignore[no-any-return]

    def _features(self, nets: Mapping[str, nn.Module], x: Tensor) -> Tensor:
        """Return the discriminator's last hidden layer f for samples `x`, shape (n, k)."""
        raise NotImplementedError

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

    def _spec(self, codec: inputs.Codec, condition_dim: int = 0) -> NetworkSpec:
        latent_dim = self.latent_dim or self._latent_dims[codec.kind]
        if self._bottleneck and self.latent_dim is None and isinstance(codec, inputs.TableCodec):
            latent_dim = max(1, min(latent_dim, codec.n_free // 2))
        return NetworkSpec(
            codec.kind, codec.shape, codec.blocks(), latent_dim, self.width, condition_dim
        )

    def _build(
        self, codec: inputs.Codec, n_condition: int, generator: torch.Generator | None
    ) -> dict[str, nn.Module]:
        """Return the networks on the CPU, with weights from `generator` or, if None, without."""
        with torch.device("meta"):
            networks = self._networks(self._spec(codec, n_condition))
            if n_condition:
                held = nn.ModuleDict(networks)
                condition_layers(held, n_condition)
                networks = dict(held.items())
        if generator:
            for network in networks.values():
                initialise(network, self._initialisation[codec.kind], generator)
        return networks
