"""``python -m oddgan`` is the command ``oddgan``."""

from oddgan.cli import main

main()
