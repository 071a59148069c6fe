"""Sources: raw samples in chunks, from memory or from files.

In the order that a sample passes them:

- `open`: `open_source`, which picks a source for an array, a frame, a file or a folder;
- `files`: tables in Parquet, CSV, NPY and NPZ files;
- `folder`: image files;
- `source`: the interface `Source`, and the sources in memory and of a subset of rows.
"""
