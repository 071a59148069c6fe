"""The training loop: several losses a round, each with the networks it updates."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from .checkpoint import Checkpoint
from .ensemble import Ensemble
from .interrupt import deferred_interrupt
from .progress import Progress
from .rows import Rows
from .watch import TrainingError, Watch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Loss:
    """One loss of a round.

    Attributes
    ----------
    name : str
        What it is called in progress, history and messages.
    value : scalar Tensor
        What is minimised.
    updates : tuple of str
        The roles of the networks that it updates; no other network gets a gradient from it.
    adversary : bool
        Whether it is the loss of a discriminator, whose collapse ends the run.
    judged : scalar Tensor or None
        What an adversary is judged by, -log D(real) - log(1 - D(generated)), if `value` is more or
        less than that.
    """

    name: str
    value: Tensor
    updates: tuple[str, ...]
    adversary: bool = False
    judged: Tensor | None = None


#: Yields the losses of one round for a batch x and as many latent draws z. It is a generator:
#: when it goes on after a yield, the networks of that loss have been updated.
LossFunction = Callable[[Mapping[str, nn.Module], Tensor, Tensor], Iterator[Loss]]
#: Told the networks and the number of a stage, from 0, that is about to begin.
Begin = Callable[[Mapping[str, nn.Module], int], None]


@dataclass(frozen=True)
class Settings:
    """How long and how a run trains.

    Attributes
    ----------
    n_steps : int
        Rounds to train for in each stage; a round is one batch of the rows.
    latent_dim : int
        Size of the latent draws z ~ N(0, I).
    ema_decay : float
        Decay of the exponential moving average of the weights, in [0, 1); 0 for none.
    in_ensemble : bool
        Whether the networks hold the weights of several members, (K, ...), and the rows come as
        batches (K, n, ...): then all losses and weights are those of single members, and the
        averages in the history are over the members too.
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
        One for each role that is trained.
    stages : sequence of LossFunction
        The losses of a round, stage after stage. A later stage begins with the averaged weights,
        if there is an average.
    rows : Rows
        Where the batches come from.
    settings : Settings
        How long and how.
    fabric : Fabric
        Device and precision.
    generator : torch.Generator
        On that device; latent draws and dropout come from it.
    progress : Progress
        Who is told.
    checkpoint : Checkpoint or None
        Where the state is kept.
    title : str
        What the run is called.
    begin : Begin or None
        What is done when a stage begins, without gradients: with the weights that it begins with,
        and not again when a run is resumed within the stage.
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
        self._population = Ensemble(self._all)
        self._average: AveragedModel | None = None
        if settings.ema_decay:
            self._average = AveragedModel(self._all, multi_avg_fn=self._move_average)
        self._trained = {
            role: [p for p in networks[role].parameters() if p.requires_grad] for role in optimizers
        }
        self._watch = Watch(title, max(1, min(50, self.n_steps // 100)))

    @property
    def history(self) -> list[dict[str, float]]:
        """Mean losses between reports, each with the round ("step") it was made at."""
        return self._watch.history

    def history_of(self, member: int = 0) -> list[dict[str, float]]:
        """Return the `history` of one member."""
        if not self._watch.of_members:
            return self.history
        return _of_member(self._watch.of_members, member)

    def judgements_of(self, member: int = 0) -> list[dict[str, float]]:
        """Return what adversaries were judged by, between the same reports, by the loss's name."""
        return _of_member(self._watch.judgements, member)

    def run(self) -> dict[str, nn.Module]:
        """Train, and return the networks to score with (averaged if there is an average).

        Raises
        ------
        TrainingError
            A loss is not finite, a discriminator has collapsed (the message says which), or an
            epoch had fewer rows than promised.
        KeyboardInterrupt
            After Ctrl-C, once the round is complete and the checkpoint is written.
        """
        if self.checkpoint and (state := self.checkpoint.load()):
            self._restore(state)
        else:
            self._save()  # a file that cannot be written is found out now, not after hours
        self._all.train()
        if not self.n_steps:  # what a stage begins with is there without a round
            self._average = None  # it would not know of it
            for stage in range(len(self.stages)):
                self._begin(stage)
        self.progress.start(self.title, self.n_steps, self.step)
        try:
            with deferred_interrupt() as interrupted, warnings.catch_warnings():
                # Of operations that vmap computes member by member: slower, and no less right.
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
        """Yield one batch for each round that is left."""
        while self.step < self.n_steps:
            epoch, skip = divmod(self.step, self.rows.batches_per_epoch)
            for x in self.rows.epoch(epoch, skip):
                yield x
                if self.step == self.n_steps:
                    return
            missing = (epoch + 1) * self.rows.batches_per_epoch - self.step
            if missing > 0:  # the same epoch would be asked for again, for ever
                raise TrainingError(
                    f"{self.title}: epoch {epoch + 1} ended {missing} of "
                    f"{self.rows.batches_per_epoch} batches early; have the data been changed "
                    "since training began?"
                )

    def _step(self, x: Tensor) -> None:
        stage, done = divmod(self.step, self.settings.n_steps)
        if not done:
            self._begin(stage)
        losses, in_ensemble = self.stages[stage], self.settings.in_ensemble
        shape = (*x.shape[: 1 + in_ensemble], self.settings.latent_dim)
        z = torch.randn(shape, device=x.device, generator=self.generator)
        with self.fabric.autocast():
            if in_ensemble:
                self._population.each(lambda x, z: losses(self.networks, x, z), x, z, self._update)
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
        """Update the networks of a loss, whose `value` is a scalar or one of each member."""
        inputs = [p for role in loss.updates for p in self._trained[role]]
        for parameter in inputs:
            parameter.grad = None
        # Members share no weight: the gradient of the sum is that of each by itself.
        self.fabric.backward(value.sum() if value.ndim else value, inputs=inputs)
        for role in loss.updates:
            self.optimizers[role].step()
        # Autocast keeps copies of the weights as they were before the step.
        torch.clear_autocast_cache()
        self._watch.add(loss.name, value.detach(), judged.detach() if loss.adversary else None)

    def _move_average(self, average: Any, current: Any, n_averaged: Any) -> None:
        # The decay grows from 0.1 with the rounds, as TensorFlow's `num_updates` does: a short
        # run would otherwise be scored with what is left of its first weights.
        done = (self.step - 1) % self.settings.n_steps + 1  # of this stage
        decay = min(self.settings.ema_decay, (1 + done) / (10 + done))
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
                    "watch": self._watch.state(),
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
        {"step": step, **{name: values[member] for name, values in each.items()}}
        for step, each in reports
    ]
