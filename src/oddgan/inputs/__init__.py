"""From what people have (array, frame, folder, file) to tensors, and back.

Two steps. A `Source` hands out raw samples in chunks, from memory or from files, without loading
more than a chunk of a file. A codec, learnt by `fit_codec` on training rows alone and saved with
the model, turns raw chunks into float32 tensors for the networks, and back::

    source = open_source("train.csv", label="is_bad")       # or an array, a frame, a folder ...
    codec = fit_codec(sample)                                # a raw chunk of training rows
    for rows, raw in source.chunks(4096, order=generator):   # rows: indices in the source
        x = codec.encode(raw, rows)                          # (n, *codec.shape), float32, CPU
    source = open_source("new.csv", text_columns=codec.text_columns)

Sources (`open_source`)
    ``kind``, ``names``, ``columns``, ``shuffles``, ``skipped``; ``count()``, ``chunks(size,
    order)``, ``labels()``, ``condition(rows)``. A `Subset` is some rows of one, such as those held
    out; `with_condition` gives the samples of one a known context, `with_groups` says which of them
    belong together.
Raw chunks (`Raw`)
    A 2-D array or an Arrow table; a 3-D or 4-D array of images, or a list of images of varying
    size. `select` and `concat` take rows of one and join several.
Codecs (`TableCodec`, `ImageCodec`; `fit_codec`, `codec_from_state`)
    ``kind``, ``shape``, ``columns``, ``text_columns``; ``encode(raw, rows)``, ``decode(x)``,
    ``blocks()``, ``per_column(residual)``, ``to_state()``. ``rows`` only serves messages: it holds
    what each sample is called (its index in the source, or its file name).
Patches (`PatchCodec`, `Patches`, `PatchedImage`)
    Of images that are cut into patches a `PatchCodec` gives each as a `PatchedImage`, which has its
    patches and blends their maps; `Patches` are patches at random places, to train on.

Every refusal of bad input is a `ValueError` (a missing file a `FileNotFoundError`) that names the
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
from .sources.source import Source
from .sources.subset import Subset

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
