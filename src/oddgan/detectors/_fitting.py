"""From data to trained networks: what happens inside `Detector.fit`."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.networks import use_generator

from ._encoding import Encoding, fit_encoding
from ._measuring import check_lengths
from ._terms import check_terms, with_terms

if TYPE_CHECKING:
    from ._base import Detector

#: Training rows, drawn at random, that scales and categories are learnt from.
_SAMPLE = {"table": 1_000_000, "image": 1_000}
_READ = {"table": 65536, "image": 256}


@dataclass(frozen=True)
class Fit:
    """What a training run leaves.

    Attributes
    ----------
    encoding : Encoding
        How samples, and their context, are encoded, learnt on the training rows.
    networks : dict of str to nn.Module
        The trained networks, in evaluation mode.
    history : list of dict
        Mean losses by round.
    judgements : list of dict
        What the discriminators were judged by, by round.
    references : inputs.Source
        Training rows, `n_references` at most, drawn at random.
    held_out : inputs.Source
        The rows that training did not see.
    n_train : int
        How many rows trained.
    seed : int
        For what is drawn after training.
    checkpoint : training.Checkpoint or None
        The file to remove when all is done.
    """

    encoding: Encoding
    networks: dict[str, nn.Module]
    history: list[dict[str, float]]
    judgements: list[dict[str, float]]
    references: inputs.Source
    held_out: inputs.Source
    n_train: int
    seed: int
    checkpoint: training.Checkpoint | None


def fit_networks(detector: "Detector", source: inputs.Source) -> Fit:
    """Hold rows out, learn the encoding on the others, build the networks and train them."""
    check_terms(detector, source.kind)
    fabric = training.make_fabric(detector.device, detector.precision)
    split, order, weights, noise, later = _seeds(detector.random_state, 5)
    train, held_out = _hold_out(source, detector.calibration_fraction, split)
    encoding = _fit_encoding(detector, train, split)
    check_lengths(detector, encoding)
    codec = encoding.samples
    references = drawn(train, detector.n_references, [split, 2])
    # A held-out row that cannot be encoded is found out now, and not after hours of training.
    for index, raw in held_out.chunks(_READ[held_out.kind]):
        encoding.encode(held_out, index, raw)
    networks = detector._build(codec, encoding.n_context, torch.Generator().manual_seed(weights))
    if detector.closed_form:
        detector._solve(networks, encoding.joint_rows(train, _READ[train.kind]))
        networks = {role: net.to(fabric.device).eval() for role, net in networks.items()}
        return Fit(encoding, networks, [], [], references, held_out, train.count(), later, None)
    rows = _rows(detector, train, encoding, fabric.device, order)
    generator = torch.Generator(fabric.device).manual_seed(noise)
    for network in networks.values():
        network.to(fabric.device)
        use_generator(network, generator)
    trained = {role: list(net.parameters()) for role, net in networks.items()}

    def all_rows() -> Iterator[Tensor]:
        return encoding.given_rows(train, _READ[train.kind], fabric.device)

    trainer = training.Trainer(
        networks,
        {role: detector._optimizer(role, ps, codec.kind) for role, ps in trained.items() if ps},
        [
            encoding.stage(with_terms(detector, getattr(detector, name), codec, generator))
            for name in detector._stages_of(codec.kind)
        ],
        rows,
        training.Settings(
            n_rounds=_n_rounds(detector, rows.batches_per_epoch),
            latent_dim=detector._spec(codec).latent_dim,
            ema_decay=detector.ema_decay,
        ),
        fabric=fabric,
        generator=generator,
        progress=training.RichProgress() if detector.verbose else training.Silent(),
        checkpoint=_checkpoint(detector, rows, order),
        title=type(detector).__name__,
        begin=lambda nets, stage: detector._begin(nets, stage, all_rows()),
    )
    networks = trainer.run()
    for network in networks.values():
        use_generator(network, None)
    with torch.no_grad():
        detector._finish(networks, all_rows())
    return Fit(
        encoding,
        networks,
        trainer.history,
        trainer.judgements,
        references,
        held_out,
        train.count(),
        later,
        trainer.checkpoint,
    )


def _seeds(random_state: object, n: int) -> list[int]:
    """Draw `n` independent seeds, without touching NumPy's global state."""
    if random_state is None:
        sequence = np.random.SeedSequence()
    elif isinstance(random_state, int | np.integer):
        sequence = np.random.SeedSequence(int(random_state))
    else:
        sequence = np.random.SeedSequence(check_random_state(random_state).randint(2**31 - 1))
    return [int(seed) for seed in sequence.generate_state(n)]


def _hold_out(
    source: inputs.Source, fraction: float, seed: int
) -> tuple[inputs.Source, inputs.Source]:
    """Split at random into training rows (at least 2) and held-out rows (at least 1)."""
    n = source.count()
    if n < 3:
        raise ValueError(f"Found array with {n} sample(s) while a minimum of 3 is required.")
    n_held = min(max(1, round(fraction * n)), n - 2)
    held = np.zeros(n, dtype=bool)
    held[np.random.default_rng(seed).permutation(n)[:n_held]] = True
    return inputs.Subset(source, ~held), inputs.Subset(source, held)


def drawn(source: inputs.Source, most: int, seed: list[int]) -> inputs.Source:
    """Return `source`, or so many of its rows drawn at random if it has more."""
    n = source.count()
    if n <= most:
        return source
    keep = np.zeros(n, dtype=bool)
    keep[np.random.default_rng(seed).permutation(n)[:most]] = True
    return inputs.Subset(source, keep)


def _fit_encoding(detector: "Detector", train: inputs.Source, seed: int) -> Encoding:
    return fit_encoding(
        drawn(train, _SAMPLE[train.kind], [seed, 1]),
        _READ[train.kind],
        scaling=detector.scaling,
        image_size=detector.image_size,
        channels=detector.channels,
    )


def _rows(
    detector: "Detector",
    train: inputs.Source,
    encoding: Encoding,
    device: torch.device,
    seed: int,
) -> training.Rows:
    """Return the encoded rows as one tensor on the device if they fit, else read on demand."""
    n, shape = train.count(), encoding.joint_shape
    batch_size = detector.batch_size * detector._batches_per_round
    stream = detector.stream
    if stream == "auto":
        stream = n * int(np.prod(shape)) * 4 > training.memory_budget(device)
    if not stream:
        held = torch.empty(n, *shape, device=device)
        n_filled = 0
        for x in encoding.joint_rows(train, _READ[train.kind]):
            held[n_filled : n_filled + len(x)] = x.to(device)
            n_filled += len(x)
        return training.DeviceRows(held[:n_filled], batch_size, seed)

    def read(rng: np.random.Generator) -> Iterator[Tensor]:
        return encoding.joint_rows(train, _READ[train.kind], rng)

    # One pass before the first epoch finds a bad row now, and not after hours of training.
    n_readable = sum(len(x) for x in read(np.random.default_rng(seed)))
    buffer = 4 * _READ[train.kind]
    return training.StreamedRows(read, n_readable, batch_size, seed, device, buffer)


def _n_rounds(detector: "Detector", batches_per_epoch: int) -> int:
    rounds = max(detector.epochs * batches_per_epoch, detector.min_steps)
    return rounds if detector.max_steps is None else min(rounds, detector.max_steps)


def _checkpoint(detector: "Detector", rows: training.Rows, seed: int) -> training.Checkpoint | None:
    """Return where the run is kept, marked with its settings and its rows (of streams a batch)."""
    if detector.checkpoint is None:
        return None
    if detector.random_state is None:
        raise ValueError("a checkpoint needs random_state: without it a run cannot be repeated")
    quiet = {"checkpoint", "verbose", "target_fpr"}
    settings = {k: repr(v) for k, v in detector.get_params().items() if k not in quiet}
    held = rows.rows if isinstance(rows, training.DeviceRows) else next(rows.epoch(0))
    data = hashlib.sha256(np.ascontiguousarray(held.cpu().numpy()).data).hexdigest()
    text = json.dumps(
        [type(detector).__name__, settings, data, rows.batches_per_epoch, seed], sort_keys=True
    )
    return training.Checkpoint(detector.checkpoint, text)
