"""The latent search: all samples at once against one at a time, and AUROC against its length.

    OMP_NUM_THREADS=1 ODDGAN_DATA=DATA python benchmarks/latent_search.py [--part batch ...]

"batch": time per sample of AnoGAN's search of many samples over that of a plain loop, which
searches one sample at a time with torch.optim.Adam: same networks, start, rates and steps (no
tolerance). A careless loop also lets PyTorch compute the gradients of the weights. Images are
MNIST's, 28 x 28; rows are KDD Cup 99's, 121 columns, or random ones where the data are not there.
Above 1 OddGAN is faster. Shown beside it is by how much the scores differ.

"options": the same search in bf16, with channels last, and with other memory budgets, over the
search as it comes. Above 1 the option is faster.

"pyod": PyOD's AnoGAN searches in `fit` alone, row by row, 20 steps; per 1,000 rows that time over
ours at 20 steps. Its scoring searches nothing, and so is not comparable; its time is given too.

"auroc": one digit of MNIST is normal. AUROC after each number of steps, from a random start and,
where the trained GAN has an encoder, from what the encoder says. The curve is shown, not used: the
default number of steps is the paper's.

"prior": the same for AnoGAN with a prior on z in the search and without, from a random start and
from the nearest of 512 generated images, by AnoGAN's score and by the squared residual.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import oddgan
from oddgan import AnoGAN
from oddgan.datasets import load
from oddgan.estimator.latent_search import nearest, search_latents
from oddgan.evaluation import baseline_matrix
from oddgan.scores import Descent, distance, latent_search
from oddgan.training import PRECISIONS

WEIGHT = 0.1
RATE = 0.01


def seconds(do: Callable[[], object]) -> float:
    start = time.process_time()  # of one thread, so that other processes count for less
    do()
    return time.process_time() - start


def images(n: int) -> np.ndarray:
    return load("mnist").X[:n]


def rows(n: int) -> np.ndarray:
    try:
        dataset = load("kddcup99")
    except (OSError, ValueError):
        return np.random.default_rng(0).normal(size=(n, 121)).astype(np.float32)
    keep = np.random.default_rng(0).permutation(len(dataset.y))[:n]
    X = baseline_matrix(dataset).to_numpy(dtype=np.float32)
    return (X[keep] - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1)


def trained(X: np.ndarray, width: int | None) -> AnoGAN:
    """Return an AnoGAN of a few rounds: how good it is does not matter for its speed."""
    return AnoGAN(
        max_steps=20, n_steps=1, width=width, scaling="none", search_schedule="constant",
        search_tolerance=0, random_state=0, target_fpr=0.2,
    ).fit(X)  # fmt: skip


def encoded(detector: AnoGAN, X: np.ndarray) -> torch.Tensor:
    return detector.codec_.encode(next(detector.source(X).chunks(len(X)))[1])


def one_at_a_time(
    detector: AnoGAN, x: torch.Tensor, n_steps: int, *, careless: bool = False
) -> np.ndarray:
    """Search for one sample after the other, as a plain loop does, and return the scores.

    Most loops that are published are `careless`: the weights get gradients, which nobody needs.
    """
    G, D = detector.networks_["generator"], detector.networks_["discriminator"]
    for net in (G, D):
        net.eval().requires_grad_(careless)
    scores = []
    for sample in x.split(1):
        z = detector.networks_["starts"].noise.clone().requires_grad_()
        optimizer = torch.optim.Adam([z], lr=RATE)
        f = D(sample)[1].detach()

        def loss(z: torch.Tensor, sample: torch.Tensor = sample, f: torch.Tensor = f):
            y = G(z)
            residual, feature = (sample - y).abs().sum(), (f - D(y)[1]).abs().sum()
            return (1 - WEIGHT) * residual + WEIGHT * feature

        for _ in range(n_steps):
            optimizer.zero_grad()
            loss(z).backward()
            optimizer.step()
        scores.append(loss(z).item())
    for net in (G, D):
        net.requires_grad_(True)
    return np.array(scores)


def batch(args: argparse.Namespace) -> None:
    ratio = "one at a time / together"
    print(
        f"| data | width | samples | steps | precision | {ratio} | careless {ratio} | differ by |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, X, width, few, steps in (
        ("MNIST, 28 x 28", images(128), 64, 4, 10),
        ("MNIST, 28 x 28", images(256), 16, 4, 40),
        ("KDD99, 121 columns", rows(4096), 64, 4, 200),
    ):
        detector = trained(X, width).set_params(n_steps=steps)
        x = encoded(detector, X[:few])
        ratios: dict[tuple[str, bool], list[float]] = {
            (precision, careless): [] for precision in PRECISIONS for careless in (False, True)
        }
        for _ in range(args.turns):
            alone = {
                careless: seconds(
                    lambda x=x, d=detector, s=steps, c=careless: one_at_a_time(d, x, s, careless=c)
                )
                / few
                for careless in (False, True)
            }
            for precision in PRECISIONS:
                detector.set_params(search_precision=precision)
                together = seconds(lambda X=X, d=detector: d.anomaly_score(X)) / len(X)
                for careless, took in alone.items():
                    ratios[precision, careless].append(took / together)
        scores = one_at_a_time(detector, x, steps)
        for precision in PRECISIONS:
            found = detector.set_params(search_precision=precision).anomaly_score(X)[:few]
            gap = np.max(np.abs(found / scores - 1))
            cells = " | ".join(spread(ratios[precision, careless]) for careless in (False, True))
            print(
                f"| {name} | {width} | {len(X)} | {steps} | {precision} | {cells} | {gap:.1e} |",
                flush=True,
            )
    print()


def options(args: argparse.Namespace) -> None:
    print("| samples | option | as it comes / with the option |\n|---|---|---|")
    for name, X in (("MNIST, 28 x 28", images(128)), ("KDD99, 121 columns", rows(4096))):
        detector = trained(X, None)
        x = encoded(detector, X)
        choices = {"bf16-mixed": {"bf16": True}}
        if x.ndim == 4:
            choices |= {"channels last": {"last": True}}
            choices |= {"channels last, bf16-mixed": {"last": True, "bf16": True}}
        for memory in (4, 16, 64, 128, 256, 1024):
            choices[f"chunks of {memory} MiB"] = {"memory": memory * 2**20}
        ratios: dict[str, list[float]] = {choice: [] for choice in choices}
        for _ in range(args.turns):
            usual = seconds(lambda d=detector, x=x: searched(d, x, 5))
            for choice, how in choices.items():
                taken = seconds(lambda d=detector, x=x, how=how: searched(d, x, 5, **how))
                ratios[choice].append(usual / taken)
        for choice, found in ratios.items():
            print(f"| {name} | {choice} | {spread(found)} |", flush=True)
    print()


def searched(
    detector: AnoGAN,
    x: torch.Tensor,
    n_steps: int,
    *,
    bf16: bool = False,
    last: bool = False,
    memory: int | None = None,
) -> torch.Tensor:
    nets = {role: detector.networks_[role] for role in ("generator", "discriminator")}
    usual = torch.channels_last if last else torch.contiguous_format
    if x.ndim == 4:
        nets = {role: net.to(memory_format=usual) for role, net in nets.items()}
    start = detector.networks_["starts"].noise.expand(len(x), -1)
    return search_latents(
        nets, detector._search_loss, start, (x, nets["discriminator"](x)[1].detach()),
        Descent(n_steps, (RATE,), memory=memory), title="",
        precision="bf16-mixed" if bf16 else "32-true",
    )  # fmt: skip


def pyod(args: argparse.Namespace) -> None:
    from pyod.models.anogan import AnoGAN as Theirs

    X = rows(1000)
    detector = trained(X, None).set_params(n_steps=20)
    print("| | PyOD / OddGAN |\n|---|---|")
    fits, scores = [], []
    for _ in range(args.turns):
        theirs = Theirs(epochs=0, epochs_query=20, latent_dim_G=32)  # `fit` is the search alone
        taken = seconds(lambda p=theirs: p.fit(X))
        ours = seconds(lambda: detector.anomaly_score(X))
        fits.append(taken / ours)
        scores.append(seconds(lambda p=theirs: p.decision_function(X)) / ours)
    print(f"| search of 1,000 rows, 20 steps (PyOD: in `fit`) | {spread(fits)} |")
    print(f"| scoring of 1,000 rows (PyOD: without any search) | {spread(scores)} |\n")


def digit(args: argparse.Namespace, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training images of one digit, and test images and truth: it and the others."""
    data = load("mnist")
    y = np.asarray(data.y).astype(str)
    order = np.random.default_rng(0).permutation(len(y))
    normal, odd = order[y[order] == name], order[y[order] != name]
    test = np.concatenate([normal[-args.n_test // 2 :], odd[: args.n_test // 2]])
    truth = np.repeat([0, 1], args.n_test // 2)
    return data.X[normal[: -args.n_test // 2]][:3000], data.X[test], truth


def header(first: str, at: list[int]) -> None:
    print(first + " | ".join(f"{n} steps" for n in at) + " |")
    print("|---" * (first.count("|") - 1 + len(at)) + "|")


def auroc(args: argparse.Namespace) -> None:
    X, test, truth = digit(args, args.digit)
    header("| GAN | start | ", args.at)
    makes: dict[str, Callable[..., oddgan.detectors.Detector]] = {
        "AnoGAN": AnoGAN,
        "f-AnoGAN": oddgan.FAnoGAN,
    }
    for name, make in makes.items():
        quick = {"n_steps": 1} if name == "AnoGAN" else {}
        rounds = args.batches // make()._batches_per_step
        params = {"width": args.width, "batch_size": 32, "max_steps": rounds, "latent_dim": 32}
        detector = make(random_state=0, **params, **quick).fit(X)
        for start in ("random", "encoder") if "encoder" in detector.networks_ else ("random",):
            found = curve(detector, test, truth, start, args.at)["score"]
            cells = " | ".join(f"{value:.3f}" for value in found)
            print(f"| {name} | {start} | {cells} |", flush=True)


def prior(args: argparse.Namespace) -> None:
    header("| normal digit | start | weight of the prior | score | ", args.at)
    for name in args.digits:
        X, test, truth = digit(args, name)
        params = {"width": args.width, "batch_size": 64, "max_steps": args.batches}
        detector = AnoGAN(random_state=0, latent_dim=32, n_steps=1, n_candidates=512, **params).fit(
            X
        )
        for start in ("random", "nearest"):
            for weight in args.priors:
                for score, found in curve(detector, test, truth, start, args.at, weight).items():
                    cells = " | ".join(f"{value:.3f}" for value in found)
                    print(f"| {name} | {start} | {weight:g} | {score} | {cells} |", flush=True)


def curve(
    detector: oddgan.detectors.Detector,
    X: np.ndarray,
    truth: np.ndarray,
    start: str,
    at: list[int],
    prior_weight: float = 0.0,
) -> dict[str, list[float]]:
    """Return the AUROC after each number of steps, of (1 - w) L_R + w L_D and of the squares."""
    nets, x = detector.networks_, encoded(detector, X)
    critic = nets["discriminator"] if "discriminator" in nets else nets["critic"]
    for net in nets.values():
        net.requires_grad_(False)
    with torch.no_grad():
        f = critic(x)[1]
        k = detector.embed(X[:1]).shape[1]
        z = torch.randn(1, k, generator=torch.Generator().manual_seed(0)).expand(len(x), -1)
        if start == "encoder":
            z = nets["encoder"](x)
        if start == "nearest":
            z = nearest(nets["generator"], nets["starts"].noise, x)

    def score(z: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
        y = nets["generator"](z)
        l_d = distance(f[row], critic(y)[1])
        return (1 - WEIGHT) * distance(x[row], y) + WEIGHT * l_d

    def loss(variables: tuple[torch.Tensor, ...], row: torch.Tensor) -> torch.Tensor:
        z = variables[0]
        return score(z, row) + prior_weight / 2 * z.square().sum(1)

    found: dict[str, list[float]] = {"score_name": [], "squared residual": []}
    done = 0
    for n_steps in at:  # Adam's moments start anew at each
        if n_steps > done:
            z = latent_search(loss, (z,), Descent(n_steps - done, (0.05,))).kept[0]
        done = n_steps
        with torch.no_grad():
            squares = (x - nets["generator"](z)).square().flatten(1).sum(1)
            found["score"].append(roc_auc_score(truth, score(z, torch.arange(len(x)))))
            found["squared residual"].append(roc_auc_score(truth, squares))
    return found


def spread(ratios: list[float]) -> str:
    return f"{np.median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g})"


PARTS = {"batch": batch, "options": options, "pyod": pyod, "auroc": auroc, "prior": prior}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--digit", default="3")
    parser.add_argument("--digits", nargs="+", default=["3", "8"])
    parser.add_argument("--priors", type=float, nargs="+", default=[0.0, 2.0, 8.0])
    parser.add_argument("--n-test", type=int, default=400)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--at", type=int, nargs="+", default=[0, 5, 20, 50, 100, 200, 500])
    args = parser.parse_args()
    torch.set_num_threads(1)
    for part in args.part:
        PARTS[part](args)


if __name__ == "__main__":
    main()
