"""Experiments: every task by every method by every seed, run in parallel, resumable, in one table.

A spec, which is a YAML file or the name of a built-in one, says what to measure::

    from oddgan import bench

    results = bench.run("paper/egbad-kdd", quick=True, out="egbad-kdd")
    print(results.markdown())
    results.frame  # one line for each cell and score

Each cell (one method on one task with one seed) is on disk before the next one starts. An
interrupted run resumes where it stopped when it is started again.
"""

from .experiment import Results, run
from .reading import builtin_specs, read_spec
from .spec import Cell, Method, Spec, Task

__all__ = ["Cell", "Method", "Results", "Spec", "Task", "builtin_specs", "read_spec", "run"]
