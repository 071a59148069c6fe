"""From data to trained networks: what happens inside `Detector.fit`."""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from oddgan import inputs, training
from oddgan.networks import use_generator

from .encoding import Encoding, fit_encoding
from .ensemble import Networks, apart, joined, one_of
from .holdout import HoldOut, hold_out, readable, row_mask, seeds, subsample
from .patching import how_to_cut, seen
from .score_names import check_lengths
from .training_terms import check_terms, with_terms

if TYPE_CHECKING:
    from .detector import Detector

#: Training rows, drawn at random, that scales and categories are learnt from.
_SAMPLE = {"table": 1_000_000, "image": 1_000}
_READ = {"table": 65536, "image": 256}
#: Training samples that the scale of places is learnt from.
_SOME = 256
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class TrainedMember:
    """What training leaves of one member, or of a detector that has none.

    Attributes
    ----------
    networks : dict of str to nn.Module
        The trained networks, in evaluation mode.
    references : inputs.Source
        Rows it was trained on, `n_references` at most, drawn at random.
    some : inputs.Source
        At most 256 of them, too; images that are cut are whole here.
    held_out : inputs.Source
        Rows that it was not trained on.
    held_out_samples : inputs.Source
        The same as the networks see them: of images that are cut, patches.
    n_train : int
        How many rows trained it; image files that were skipped do not count.
    history : list of dict
        Its mean losses by round.
    judgements : list of dict
        What its discriminators were judged by, by round.
    """

    networks: Networks
    references: inputs.Source
    some: inputs.Source
    held_out: inputs.Source
    held_out_samples: inputs.Source
    n_train: int
    history: list[dict[str, float]]
    judgements: list[dict[str, float]]


@dataclass(frozen=True)
class FitResult:
    """What a training run leaves.

    Attributes
    ----------
    encoding : Encoding
        How samples, and their context, are encoded, learnt on the training rows.
    members : list of Trained
        The members of a population; one where there is none.
    split : Split
        The rows that were trained on, and those that were not.
    history : list of dict
        Mean losses by round.
    seed : int
        For what is drawn after training.
    checkpoints : list of training.Checkpoint
        The files to remove when all is done.
    """

    encoding: Encoding
    members: list[TrainedMember]
    split: HoldOut
    history: list[dict[str, float]]
    seed: int
    checkpoints: list[training.Checkpoint]


def fit_networks(detector: "Detector", source: inputs.Source) -> FitResult:
    """Hold rows out, learn the encoding on the others, build the networks and train them."""
    check_terms(detector, source.kind)
    fabric = training.make_fabric(detector.device, detector.precision)
    of_split, *others, later = seeds(detector.random_state, 5)
    share, n_members = detector.calibration_fraction, detector.n_members
    rows = hold_out(source, share, n_members, detector.target_fpr, of_split)
    encoding = _fit_encoding(detector, rows.train, of_split)
    check_lengths(detector, encoding)
    # A held-out row that cannot be encoded is found out now, and not after hours of training.
    for _ in encoding.read(rows.held_out, _READ[source.kind]):
        pass
    # On a CPU the convolutions of members side by side are no faster, and slow where narrow.
    side_by_side = detector._in_one_pass and (source.kind == "table" or fabric.device.type != "cpu")
    if n_members == 1 or side_by_side:
        runs = [_train(detector, rows, encoding, fabric, others)]
    else:
        runs = [
            _train(detector, rows.of_member(k), encoding, fabric, own, f".{k}")
            for k, own in enumerate(zip(*(seeds(seed, n_members) for seed in others), strict=True))
        ]
    trained = [
        (nets, *((trainer.history_of(i), trainer.judgements_of(i)) if trainer else ([], [])))
        for networks, trainer in runs
        for i, nets in enumerate(networks)
    ]
    members = []
    for k, ((nets, *told), (own, held_out)) in enumerate(zip(trained, rows.members, strict=True)):
        references = subsample(
            seen(detector, encoding, own), detector.n_references, [of_split, 2, k]
        )
        some = subsample(own, _SOME, [of_split, 3, k])
        held_out_samples = seen(detector, encoding, held_out, of_training=False)
        members.append(
            TrainedMember(nets, references, some, held_out, held_out_samples, readable(own), *told)
        )
    trainers = [trainer for _, trainer in runs if trainer]
    checkpoints = [trainer.checkpoint for trainer in trainers if trainer.checkpoint]
    return FitResult(encoding, members, rows, _mean_history(trainers), later, checkpoints)


def _mean_history(trainers: Sequence[training.Trainer]) -> list[dict[str, float]]:
    """Return the means of what members had that were trained one by one."""
    histories = [trainer.history for trainer in trainers]
    if len(histories) == 1:
        return histories[0]
    return [
        {name: fmean(entry[name] for entry in entries) for name in entries[0]}
        for entries in zip(*histories, strict=True)
    ]


def _train(
    detector: "Detector",
    split: HoldOut,
    encoding: Encoding,
    fabric: Fabric,
    by_seed: Sequence[int],
    suffix: str = "",
) -> tuple[list[Networks], training.Trainer | None]:
    """Return the trained networks of each member, and what trained them, if anything did."""
    codec, size = encoding.samples, _READ[split.train.kind]
    order, weights, noise = by_seed
    starts = [weights] if len(split.members) == 1 else seeds(weights, len(split.members))
    members = [
        detector._build(codec, encoding.condition_dim, torch.Generator().manual_seed(start))
        for start in starts
    ]
    if detector.closed_form:
        for nets, (own, _) in zip(members, split.members, strict=True):
            detector._solve(nets, encoding.joint_rows(seen(detector, encoding, own), size))
            for net in nets.values():
                net.to(fabric.device).eval()
        return members, None
    rows = _rows(detector, split, encoding, fabric.device, order)
    generator = torch.Generator(fabric.device).manual_seed(noise)
    networks = joined(members)
    for network in networks.values():
        network.to(fabric.device)
        use_generator(network, generator)
    trained = {role: list(net.parameters()) for role, net in networks.items()}

    def for_each(do: Callable[[Networks, Iterator[Tensor]], None], nets: Networks) -> None:
        """Call `do` with the networks of each member and all rows that it trains on."""
        for k, (own, _) in enumerate(split.members):
            with one_of(nets, k, len(split.members)) as alone:
                samples = seen(detector, encoding, own)
                do(alone, encoding.given_rows(samples, size, fabric.device))

    trainer = training.Trainer(
        networks,
        {role: detector._optimizer(role, ps, codec.kind) for role, ps in trained.items() if ps},
        [
            encoding.stage(with_terms(detector, getattr(detector, name), codec, generator))
            for name in detector._stages_of(codec.kind)
        ],
        rows,
        training.Settings(
            n_steps=_n_steps(detector, rows.batches_per_epoch),
            latent_dim=detector._spec(codec).latent_dim,
            ema_decay=detector.ema_decay,
            in_ensemble=len(split.members) > 1,
        ),
        fabric=fabric,
        generator=generator,
        progress=training.RichProgress() if detector.verbose else training.Silent(),
        checkpoint=_checkpoint(detector, rows, order, suffix),
        title=type(detector).__name__,
        begin=lambda nets, stage: for_each(
            lambda own, chunks: detector._begin(own, stage, chunks), dict(nets)
        ),
    )
    networks = trainer.run()
    for network in networks.values():
        use_generator(network, None)
    with torch.no_grad():
        for_each(detector._finish, networks)
    return apart(networks, len(split.members)), trainer


def _fit_encoding(detector: "Detector", train: inputs.Source, seed: int) -> Encoding:
    return fit_encoding(
        subsample(train, _SAMPLE[train.kind], [seed, 1]),
        _READ[train.kind],
        scaling=detector.scaling,
        image_size=detector.image_size,
        channels=detector.channels,
        cut=how_to_cut(detector),
    )


def _rows(
    detector: "Detector", split: HoldOut, encoding: Encoding, device: torch.device, seed: int
) -> training.Rows:
    """Return the encoded rows as one tensor on the device if they fit, else read on demand."""
    train, shape = split.train, encoding.joint_shape
    batch_size = detector.batch_size * detector._batches_per_step
    owns, stream = [own for own, _ in split.members], detector.stream
    if isinstance(encoding.samples, inputs.PatchCodec):  # their places change each epoch
        most = {True: 0, False: sys.maxsize, "auto": training.memory_budget(_CPU)}[stream]
        owns = [seen(detector, encoding, own, kept_bytes=most // len(owns)) for own in owns]
        stream = True
    if stream == "auto":
        stream = train.count() * int(np.prod(shape)) * 4 > training.memory_budget(device)
    of_epochs = [seed] if len(owns) == 1 else seeds(seed, len(owns))
    if stream:
        streams = [
            _streamed(own, encoding, batch_size, of_epoch, device)
            for own, of_epoch in zip(owns, of_epochs, strict=True)
        ]
        return streams[0] if len(owns) == 1 else training.EnsembleRows(streams)
    held = torch.empty(train.count(), *shape, device=device)
    numbers: list[NDArray[np.int64]] = []
    n_filled = 0
    for index, x in encoding.numbered_rows(train, _READ[train.kind]):
        held[n_filled : n_filled + len(x)] = x.to(device)
        n_filled += len(x)
        numbers.append(index)
    held = held[:n_filled]
    if len(owns) == 1:
        return training.DeviceRows(held, batch_size, seed)
    every = np.concatenate(numbers)
    kept = [torch.from_numpy(np.flatnonzero(row_mask(own)[every])).to(device) for own in owns]
    batch_size = min(batch_size, *map(len, kept))
    return training.EnsembleRows(
        [
            training.DeviceRows(held, batch_size, of_epoch, own)
            for of_epoch, own in zip(of_epochs, kept, strict=True)
        ]
    )


def _streamed(
    own: inputs.Source, encoding: Encoding, batch_size: int, seed: int, device: torch.device
) -> training.StreamedRows:
    def read(rng: np.random.Generator) -> Iterator[Tensor]:
        return encoding.joint_rows(own, _READ[own.kind], rng)

    # One pass before the first epoch finds a bad row now, and not after hours of training.
    n_readable = sum(len(x) for x in read(np.random.default_rng(seed)))
    buffer = 4 * _READ[own.kind]
    return training.StreamedRows(read, n_readable, batch_size, seed, device, buffer)


def _n_steps(detector: "Detector", batches_per_epoch: int) -> int:
    rounds = max(detector.epochs * batches_per_epoch, detector.min_steps)
    return rounds if detector.max_steps is None else min(rounds, detector.max_steps)


def _checkpoint(
    detector: "Detector", rows: training.Rows, seed: int, suffix: str
) -> training.Checkpoint | None:
    """Return where the run is kept, marked with its settings and its rows (of streams a batch)."""
    if detector.checkpoint is None:
        return None
    if detector.random_state is None:
        raise ValueError("a checkpoint needs random_state: without it a run cannot be repeated")
    quiet = {"checkpoint", "verbose", "target_fpr", "pixel_fpr"}
    settings = {k: repr(v) for k, v in detector.get_params().items() if k not in quiet}
    first = rows.members[0] if isinstance(rows, training.EnsembleRows) else rows
    held = first.rows if isinstance(first, training.DeviceRows) else next(first.epoch(0))
    data = hashlib.sha256(np.ascontiguousarray(held.cpu().numpy()).data).hexdigest()
    text = json.dumps(
        [type(detector).__name__, settings, data, rows.batches_per_epoch, seed], sort_keys=True
    )
    return training.Checkpoint(os.fspath(detector.checkpoint) + suffix, text)
