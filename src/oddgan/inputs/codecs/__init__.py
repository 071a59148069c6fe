"""Codecs: raw samples to tensors for the networks, and back.

In the order that a sample passes them, for a table:

- `table`: `TableCodec`, which encodes and decodes all columns;
- `fit_columns`: fits a column to training rows: its kind, scale and categories;
- `values`: reads a column as numbers or text;
- `columns`: encodes and decodes a column, with a class for each kind;
- `ranks`: the kinds of column that use ranks.

For images:

- `image`: `ImageCodec`, which matches shapes and channels, and resizes;
- `pixels`: scales pixel values to [-1, 1] and back.
"""
