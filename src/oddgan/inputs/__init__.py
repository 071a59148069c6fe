"""From the user's data (array, frame, folder, file) to tensors, and back.

There are two steps. A `Source` yields raw samples in chunks, from memory or from files, and loads
no more than a chunk of a file. A codec, which `fit_codec` fits to training rows and which is saved
with the model, turns raw chunks into float32 tensors for the networks, and back::

    source = open_source("train.csv", label="is_bad")       # or an array, a frame, a folder ...
    codec = fit_codec(sample)                                # a raw chunk of training rows
    for rows, raw in source.chunks(4096, order=generator):   # rows: indices in the source
        x = codec.encode(raw, rows)                          # (n, *codec.shape), float32, CPU
    source = open_source("new.csv", text_columns=codec.text_columns)

Sources (`sources`; `open_source`)
    ``kind``, ``names``, ``columns``, ``shuffles``, ``skipped``; ``count()``, ``chunks(size,
    order)``, ``labels()``, ``condition(rows)``. A `Subset` is a source of some rows of another,
    such as the held-out ones. `with_condition` attaches a condition to the samples of a source,
    `with_groups` assigns them to groups.
Raw chunks (`Raw`)
    A 2-D array or an Arrow table; a 3-D or 4-D array of images, or a list of images of varying
    size. `select` takes rows of a chunk, `concat` joins chunks.
Codecs (`codecs`; `TableCodec`, `ImageCodec`; `fit_codec`, `codec_from_state`)
    ``kind``, ``shape``, ``columns``, ``text_columns``; ``encode(raw, rows)``, ``decode(x)``,
    ``blocks()``, ``per_column(residual)``, ``to_state()``. ``rows`` is used in messages only: it
    holds the name of each sample (its index in the source, or its file name).
Patches (`patches`; `PatchCodec`, `PatchedImage`, `Patches`)
    If images are cut into patches, a `PatchCodec` encodes each image as a `PatchedImage`, which
    yields its patches and blends their maps. `Patches` is a source of patches at random locations,
    for training.

Bad input is refused with a `ValueError` (a missing file with a `FileNotFoundError`) that names the
file, or the column and the row, counted from 0.
"""

from .codecs.columns import Block, Column
from .codecs.fit_columns import SCALINGS, Scaling
from .codecs.image import ImageCodec
from .codecs.table import TableCodec
from .condition import with_condition
from .fit_codec import Codec, codec_from_state, fit_codec
from .groups import Units, one_of_each_group, with_groups
from .patches.codec import PATCH_AGGREGATIONS, PatchAggregation, PatchCodec
from .patches.patches import PatchedImage
from .patches.source import PatchAugment, Patches
from .raw import Raw, concat, select
from .side_data import WithoutColumns
from .sources.folder import pixels_of
from .sources.open import open_source
from .sources.source import Source, Subset

__all__ = [
    "PATCH_AGGREGATIONS",
    "SCALINGS",
    "Block",
    "Codec",
    "Column",
    "ImageCodec",
    "PatchAggregation",
    "PatchAugment",
    "PatchCodec",
    "PatchedImage",
    "Patches",
    "Raw",
    "Scaling",
    "Source",
    "Subset",
    "TableCodec",
    "Units",
    "WithoutColumns",
    "codec_from_state",
    "concat",
    "fit_codec",
    "one_of_each_group",
    "open_source",
    "pixels_of",
    "select",
    "with_condition",
    "with_groups",
]
