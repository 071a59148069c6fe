"""The training loop: several losses per training step, each with the networks it updates."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from .checkpoint import Checkpoint, deferred_interrupt
from .ensemble import Ensemble
from .monitoring import Progress, TrainingError, Watch
from .rows import Rows

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Loss:
    """One loss of a training step.

    Attributes
    ----------
    name : str
        Its name in progress, history and messages.
    value : scalar Tensor
        The value to minimise.
    updates : tuple of str
        The roles of the networks that it updates; no other network gets a gradient from it.
    adversary : bool
        Whether it is the loss of a discriminator; if that collapses, the run ends.
    judged : scalar Tensor or None
        The loss that a discriminator is judged by, -log D(real) - log(1 - D(generated)), if it
        differs from `value`.
    """

    name: str
    value: Tensor
    updates: tuple[str, ...]
    adversary: bool = False
    judged: Tensor | None = None


#: Yields the losses of one training step for a batch x and as many latent draws z. It is a
#: generator: when it continues after a yield, the networks of that loss have been updated.
LossFunction = Callable[[Mapping[str, nn.Module], Tensor, Tensor], Iterator[Loss]]
#: Called with the networks and the number of a stage, from 0, before that stage begins.
Begin = Callable[[Mapping[str, nn.Module], int], None]


@dataclass(frozen=True)
class Settings:
    """Length and settings of a run.

    Attributes
    ----------
    n_steps : int
        Training steps in each stage; one training step uses one batch of the rows.
    latent_dim : int
        Size of the latent draws z ~ N(0, I).
    ema_decay : float
        Decay of the exponential moving average of the weights, in [0, 1); 0 for no average.
    in_ensemble : bool
        Whether the networks hold the weights of several members, (K, ...), and batches have the
        shape (K, n, ...). Losses and weights are then those of single members, and the history
        averages over members too.
    """

    n_steps: int
    latent_dim: int
    ema_decay: float
    in_ensemble: bool = False


class Trainer:
    """One training run.

    Parameters
    ----------
    networks : mapping of str to nn.Module
        The networks by role, on the device of `fabric`.
    optimizers : mapping of str to Optimizer
        One for each trained role.
    stages : sequence of LossFunction
        The losses of a training step, for each stage. Later stages begin with the averaged
        weights, if there is an average.
    rows : Rows
        The source of the batches.
    settings : Settings
        Length and settings of the run.
    fabric : Fabric
        Device and precision.
    generator : torch.Generator
        On that device; for latent draws and dropout.
    progress : Progress
        Listener to the run.
    checkpoint : Checkpoint or None
        Where the state is stored.
    title : str
        Name of the run.
    begin : Begin or None
        Called without gradients when a stage begins, with its first weights; not called again
        when a run is resumed within the stage.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        stages: Sequence[LossFunction],
        rows: Rows,
        settings: Settings,
        *,
        fabric: "Fabric",
        generator: torch.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None,
        title: str,
        begin: Begin | None = None,
    ) -> None:
        self.networks = networks
        self.stages = stages
        self.n_steps = settings.n_steps * len(stages)
        self.rows = rows
        self.settings = settings
        self.fabric = fabric
        self.generator = generator
        self.progress = progress
        self.checkpoint = checkpoint
        self.title = title
        self.begin = begin
        self.step = 0
        self.optimizers: dict[str, Any] = {
            role: fabric.setup_optimizers(optimizer) for role, optimizer in optimizers.items()
        }
        self._all = nn.ModuleDict(dict(networks))
        self._ensemble = Ensemble(self._all) if settings.in_ensemble else None
        self._average: AveragedModel | None = None
        if settings.ema_decay:
            self._average = AveragedModel(self._all, multi_avg_fn=self._move_average)
        self._trained = {
            role: [p for p in networks[role].parameters() if p.requires_grad] for role in optimizers
        }
        self._watch = Watch(title, max(1, min(50, self.n_steps // 100)))

    @property
    def history(self) -> list[dict[str, float]]:
        """Mean losses between reports, each with the training step ("step") of the report."""
        return self._watch.history

    def history_of(self, member: int = 0) -> list[dict[str, float]]:
        """Return the `history` of one member."""
        if not self._watch.of_members:
            return self.history
        return _of_member(self._watch.of_members, member)

    def judgements_of(self, member: int = 0) -> list[dict[str, float]]:
        """Return the mean losses that discriminators were judged by, between the same reports."""
        return _of_member(self._watch.judgements, member)

    def run(self) -> dict[str, nn.Module]:
        """Train, and return the networks to score with (averaged if there is an average).

        Raises
        ------
        TrainingError
            A loss is not finite, a discriminator has collapsed (the message says which), or an
            epoch had fewer rows than expected.
        KeyboardInterrupt
            After Ctrl-C, once the training step is complete and the checkpoint is written.
        """
        if self.checkpoint and (state := self.checkpoint.load()):
            self._restore(state)
        else:
            self._save()  # a file that cannot be written fails now, not after hours
        self._all.train()
        if not self.n_steps:  # stages begin even without training steps
            self._average = None  # it would not include what `begin` changes
            for stage in range(len(self.stages)):
                self._begin(stage)
        self.progress.start(self.title, self.n_steps, self.step)
        try:
            with deferred_interrupt() as interrupted, warnings.catch_warnings():
                # vmap computes some operations member by member: slower, but equally correct.
                warnings.filterwarnings("ignore", message="There is a performance drop")
                for x in self._batches():
                    self._step(x)
                    self._report()
                    if interrupted() or (self.checkpoint and self.checkpoint.due()):
                        self._save()
                    if interrupted():
                        raise KeyboardInterrupt
        finally:
            self.progress.stop()
        trained = self._average.module if self._average else self._all
        return dict(trained.eval().items())  # type: ignore[operator]

    def _batches(self) -> Iterator[Tensor]:
        """Yield one batch for each remaining training step."""
        while self.step < self.n_steps:
            epoch, skip = divmod(self.step, self.rows.batches_per_epoch)
            for x in self.rows.epoch(epoch, skip):
                yield x
                if self.step == self.n_steps:
                    return
            missing = (epoch + 1) * self.rows.batches_per_epoch - self.step
            if missing > 0:  # otherwise the same epoch would repeat forever
                raise TrainingError(
                    f"{self.title}: epoch {epoch + 1} ended {missing} of "
                    f"{self.rows.batches_per_epoch} batches early; have the data changed since "
                    "training began?"
                )

    def _step(self, x: Tensor) -> None:
        stage, step = divmod(self.step, self.settings.n_steps)
        if not step:
            self._begin(stage)
        losses, ensemble = self.stages[stage], self._ensemble
        shape = (*x.shape[: 2 if ensemble else 1], self.settings.latent_dim)
        z = torch.randn(shape, device=x.device, generator=self.generator)
        with self.fabric.autocast():
            if ensemble:
                ensemble.each(lambda x, z: losses(self.networks, x, z), x, z, self._update)
            else:
                for loss in losses(self.networks, x, z):
                    judged = loss.value if loss.judged is None else loss.judged
                    self._update(loss, loss.value, judged)
        self.step += 1
        if self._average:
            self._average.update_parameters(self._all)

    def _begin(self, stage: int) -> None:
        if stage and self._average:
            self._all.load_state_dict(self._average.module.state_dict())
        if self.begin:
            with torch.no_grad():
                self.begin(self.networks, stage)

    def _update(self, loss: Loss, value: Tensor, judged: Tensor) -> None:
        """Update the networks of a loss; its `value` is a scalar, or has one for each member."""
        inputs = [p for role in loss.updates for p in self._trained[role]]
        for parameter in inputs:
            parameter.grad = None
        # Members share no weights: the gradient of the sum is the gradient of each member.
        self.fabric.backward(value.sum() if value.ndim else value, inputs=inputs)
        for role in loss.updates:
            self.optimizers[role].step()
        # Autocast keeps copies of the weights as they were before the step.
        torch.clear_autocast_cache()
        self._watch.add(loss.name, value.detach(), judged.detach() if loss.adversary else None)

    def _move_average(self, average: Any, current: Any, n_averaged: Any) -> None:
        # The decay grows with the training steps, as with TensorFlow's `num_updates`: otherwise
        # the average of a short run would still contain much of its first weights.
        n_steps = (self.step - 1) % self.settings.n_steps + 1  # of this stage
        decay = min(self.settings.ema_decay, (1 + n_steps) / (10 + n_steps))
        torch._foreach_lerp_(average, current, 1 - decay)

    def _report(self) -> None:
        if self._watch.due(self.step) or self.step == self.n_steps:
            self.progress.update(self.step, self._watch.report(self.step))

    def _save(self) -> None:
        if self.checkpoint:
            self.checkpoint.write(
                {
                    "step": self.step,
                    "networks": self._all.state_dict(),
                    "average": self._average.state_dict() if self._average else None,
                    "optimizers": {r: o.state_dict() for r, o in self.optimizers.items()},
                    "generator": self.generator.get_state(),
                    "watch": self._watch.to_state(),
                }
            )

    def _restore(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self._all.load_state_dict(state["networks"])
        if self._average:
            self._average.load_state_dict(state["average"])
        for role, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][role])
        self.generator.set_state(state["generator"])
        self._watch.restore(state["watch"])


def _of_member(
    reports: Sequence[tuple[int, Mapping[str, Sequence[float]]]], member: int
) -> list[dict[str, float]]:
    return [
        {"step": step, **{name: values[member] for name, values in losses.items()}}
        for step, losses in reports
    ]
