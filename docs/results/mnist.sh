#!/usr/bin/env bash
# Fits EGBAD and the VAE with each digit of MNIST as the anomaly, evaluates, and prints the table of
# mnist.md. About an hour of one CPU core. ODDGAN_DATA names the data home; models go to this folder:
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-mnist-models}" && cd "${1:-mnist-models}"
export OMP_NUM_THREADS=1
for digit in 0 1 2 3 4 5 6 7 8 9; do
  for method in egbad vae; do
    [ -f "$method-$digit.oddgan" ] || oddgan fit "$method" mnist --anomaly "$digit" \
      --set width=32 --set batch_size=32 --set max_steps=1000 \
      --out "$method-$digit.oddgan" --json > "$method-$digit.fit.json"
  done
  oddgan evaluate "egbad-$digit.oddgan" "vae-$digit.oddgan" mnist --json > "eval-$digit.json"
done
python "$here/mnist_table.py"
