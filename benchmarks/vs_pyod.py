"""Rows per second of EGBAD and the VAE against PyOD's ALAD, VAE and AutoEncoder.

All get the same attack rows of KDD Cup 99 as 121 standardised numeric columns, the same batch
size, as many batches and one thread, in turns within one run. Printed is the ratio of rows per
second, ours over theirs, as the median over the turns with the extremes in brackets; above 1
OddGAN is faster.

    OMP_NUM_THREADS=1 ODDGAN_DATA=DATA python benchmarks/vs_pyod.py [--rows 20000] [--turns 3]

Time is that of the whole ``fit``, with all that a user waits for: encoding, held-out scores and
the threshold here; the scores of all training rows there. Counted are the rows that training
really saw: OddGAN holds out a tenth, and what PyOD's ALAD calls an epoch is one mini-batch.

What differs and cannot be made equal: ALAD trains two more discriminators than BiGAN, and
OddGAN keeps a moving average of EGBAD's weights; PyOD's VAE predicts means with a squared
error, OddGAN's a mean and a scale a column with its likelihood. PyOD's ALAD scores all rows at
once, so its memory grows with them.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from pyod.models import alad, auto_encoder, vae

from oddgan import EGBAD, VAE
from oddgan.datasets import load
from oddgan.evaluation import baseline_matrix

BATCH = 64
EPOCHS = 3
OURS = {
    "EGBAD": EGBAD,
    "VAE": VAE,
    "VAE, score_name=reconstruction": lambda **p: VAE(score_name="reconstruction", **p),
}
# Networks of the sizes that EGBAD has at 121 columns.
ALAD_LIKE_OURS = {
    "latent_dim": 32,
    "enc_layers": [64],
    "dec_layers": [64, 128],
    "disc_xz_layers": [128, 128],
    "disc_xx_layers": [128, 128],
    "disc_zz_layers": [128, 128],
}
VAE_LIKE_OURS = {
    "latent_dim": 32,
    "encoder_neuron_list": [64],
    "decoder_neuron_list": [64, 128],
    "dropout_rate": 0.0,
}


def data(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `n` rows to train on and `n` others to score, standardised."""
    dataset = load("kddcup99")
    rows = np.flatnonzero(dataset.y != "normal")
    rows = np.random.default_rng(0).permutation(rows)[: 2 * n]
    X = baseline_matrix(dataset).to_numpy(dtype=np.float32)[rows]
    mean, scale = X[:n].mean(0), X[:n].std(0)
    X = (X - mean) / np.where(scale > 0, scale, 1)
    return X[:n], X[n:]


def peers(n: int) -> dict[str, tuple[Callable, int, dict]]:
    """Return for each peer how it is made, rows it trains on, and options of its scoring."""
    steps = EPOCHS * (n // BATCH)
    seen = steps * BATCH
    deep = {"epoch_num": EPOCHS, "batch_size": BATCH, "verbose": 0, "preprocessing": False}
    gan = {"epochs": steps, "batch_size": BATCH}
    large = {"batch_size": 4096}
    return {
        "ALAD": (lambda: alad.ALAD(**gan), seen, {}),
        "ALAD, EGBAD's sizes": (lambda: alad.ALAD(**gan, **ALAD_LIKE_OURS), seen, {}),
        "VAE": (lambda: vae.VAE(**deep), seen, {}),
        "VAE, our sizes, scored by 4096": (lambda: vae.VAE(**deep, **VAE_LIKE_OURS), seen, large),
        "AutoEncoder": (lambda: auto_encoder.AutoEncoder(**deep), seen, {}),
    }


def seconds(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def ours(make: Callable, train: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """Return rows a second of training and of scoring."""
    detector = make(
        epochs=EPOCHS, min_steps=1, max_steps=None, batch_size=BATCH, scaling="none",
        stream=False, random_state=0,
    )  # fmt: skip
    fit = seconds(lambda: detector.fit(train))
    seen = detector.history_[-1]["step"] * BATCH
    return seen / fit, len(new) / seconds(lambda: detector.anomaly_score(new))


def theirs(
    make: Callable, seen: int, options: dict, train: np.ndarray, new: np.ndarray
) -> tuple[float, float]:
    """Return rows a second of training and of scoring."""
    detector = make()
    fit = seconds(lambda: detector.fit(train))
    return seen / fit, len(new) / seconds(lambda: detector.decision_function(new, **options))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    train, new = data(args.rows)
    mine: dict[str, list] = {name: [] for name in OURS}
    other: dict[str, list] = {name: [] for name in peers(args.rows)}
    for turn in range(args.turns + 1):
        # The first turn, on few rows, warms up.
        n = args.rows if turn else 20 * BATCH
        for name, make in OURS.items():
            mine[name].append(ours(make, train[:n], new[:n]))
        for name, peer in peers(n).items():
            other[name].append(theirs(*peer, train[:n], new[:n]))
    for column, what in enumerate(("training", "scoring")):
        names = [name for name in OURS if what == "scoring" or "score_name=" not in name]
        print(f"| {what} | " + " | ".join(names) + " |")
        print("|---" * (1 + len(names)) + "|")
        for peer, found in other.items():
            cells = [ratio(mine[name], found, column) for name in names]
            print(f"| PyOD {peer} | " + " | ".join(cells) + " |")
        print()


def ratio(ours: list, theirs: list, column: int) -> str:
    ratios = [a[column] / b[column] for a, b in zip(ours[1:], theirs[1:], strict=True)]
    return f"{np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
