"""An ensemble trained in one pass against its members trained one by one.

    OMP_NUM_THREADS=1 python benchmarks/ensemble_speed.py [--members 8] [--steps 60]

Time to fit K members one after the other, over the time to fit one ensemble of K, with the same
rows, training steps and networks. Above 1 the ensemble is faster. The two alternate, and their
shortest times are compared: processor time of this process on a CPU, which other work on the
machine disturbs less, and elapsed time on a GPU.
"""

import argparse
import time
import warnings

import numpy as np
import torch

from oddgan import EGBAD, VAE, detectors

CASES = {
    "EGBAD, table of 20 columns": (EGBAD, (2000, 20), {}),
    "EGBAD, table of 121 columns": (EGBAD, (2000, 121), {}),
    "VAE, table of 20 columns": (VAE, (2000, 20), {}),
    "VAE, table of 121 columns": (VAE, (2000, 121), {}),
    "VAE, images of 16 x 16": (VAE, (500, 16, 16), {"width": 16}),
}


def seconds(detector: detectors.Detector, X: np.ndarray, n_fits: int) -> float:
    """Return the duration of `n_fits` fits."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    start = clock()
    for seed in range(n_fits):
        detector.set_params(random_state=seed).fit(X)
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    setup = f"{options.members} members, {options.steps} training steps"
    print(f"{setup}, torch {torch.__version__}, {device}")
    for name, (cls, shape, params) in CASES.items():
        X = np.random.default_rng(0).normal(size=shape)
        params = {**params, "max_steps": options.steps, "health": False}
        together = cls(**params, n_members=options.members)
        alone = cls(**params)
        times = np.array(
            [
                (seconds(alone, X, options.members), seconds(together, X, 1))
                for _ in range(options.repeats)
            ]
        )
        one_by_one, in_one_pass = times.min(0)
        ratios = times[:, 0] / times[:, 1]
        print(
            f"{name}: one by one {one_by_one:.2f} s, in one pass {in_one_pass:.2f} s, "
            f"ratio {one_by_one / in_one_pass:.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
        )


if __name__ == "__main__":
    main()
