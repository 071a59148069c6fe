"""Image codecs: sizes, colours, ranges, and decoding."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from oddgan.inputs import Block, codec_from_state, fit_codec, open_source


def pictures(*shape, dtype="uint8", seed=0):
    """Random images with every extreme of their type."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    high = 1 if dtype == "bool" else np.iinfo(dtype).max
    return rng.integers(0, high, shape, endpoint=True).astype(dtype)


def raw_of(data, **options):
    return next(iter(open_source(data, **options).chunks(10**6)))[1]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "bool", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((6, 28, 28), (1, 28, 28)),
        ((6, 9, 31), (1, 9, 31)),
        ((6, 1, 10, 8), (1, 10, 8)),
        ((6, 3, 16, 10), (3, 16, 10)),
        ((6, 16, 10, 3), (3, 16, 10)),
        ((6, 8, 256, 4), (4, 8, 256)),
    ],
)
def test_every_layout_and_type_is_decoded(shape, expected, dtype):
    X = pictures(*shape, dtype=dtype)
    raw = raw_of(X)
    codec = fit_codec(raw)
    x = codec.encode(raw)
    assert (codec.kind, codec.shape) == ("image", expected)
    assert x.dtype == torch.float32
    assert x.shape == (6, *expected)
    assert x.is_contiguous()
    assert x.min() >= -1
    assert x.max() <= 1
    back = codec.decode(x)
    assert back.dtype == X.dtype
    np.testing.assert_allclose(back, X, atol=0 if X.dtype.kind != "f" else 1e-6)


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(0.1, 0.9, (0, 1)), (-0.3, 0.9, (-1, 1)), (0.0, 16.0, (0, 16)), (-5.0, 300.0, (-5, 300))],
)
def test_range_of_floats(low, high, ends):
    X = np.linspace(low, high, 128).reshape(2, 8, 8)
    codec = fit_codec(X)
    a, b = ends
    np.testing.assert_allclose(codec.encode(X), (2 * (X - a) / (b - a) - 1)[:, None], atol=1e-6)
    # Later values beyond the range are not clipped.
    beyond = codec.encode(np.full((1, 8, 8), float(b + (b - a))))
    np.testing.assert_allclose(beyond, 3, rtol=1e-6)


def test_integers_are_rounded_and_clipped_when_decoded():
    codec = fit_codec(pictures(4, 8, 8))
    x = torch.tensor([-2.0, -1.0, 2 * 99.6 / 255 - 1, 5.0]).reshape(4, 1, 1, 1).expand(4, 1, 8, 8)
    assert codec.decode(x)[:, 0, 0].tolist() == [0, 0, 100, 255]


def test_image_size_resizes_training_and_later_arrays():
    X = pictures(5, 20, 30)
    codec = fit_codec(X, image_size=(16, 12))
    assert codec.shape == (1, 16, 12)
    scaled = torch.from_numpy(X[:, None].astype(np.float32) / 127.5 - 1)
    expected = torch.nn.functional.interpolate(
        scaled, (16, 12), mode="bilinear", antialias=True, align_corners=False
    )
    torch.testing.assert_close(codec.encode(X), expected, atol=1e-5, rtol=0)
    assert codec.encode(pictures(2, 99, 40)).shape == (2, 1, 16, 12)
    assert fit_codec(X, image_size=8).shape == (1, 8, 8)
    assert fit_codec(pictures(2, 3, 500, 400), image_size=np.int64(32)).shape == (3, 32, 32)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(20, 30)] * 3, (20, 30)),  # one size within 8 to 256: unchanged
        ([(300, 150)] * 3, (64, 32)),  # one size outside
        ([(100, 50), (100, 50), (400, 90)], (64, 32)),  # the median, scaled down
        ([(30, 40), (32, 44), (28, 20)], (30, 40)),  # the median, small enough
        ([(5, 400), (5, 401)], (8, 64)),  # at least 8
    ],
)
def test_size_of_image_files(sizes, expected):
    images = [pictures(*size, seed=i) for i, size in enumerate(sizes)]
    codec = fit_codec(images)
    assert codec.shape == (1, *expected)
    x = codec.encode(images)
    assert x.shape == (len(sizes), 1, *expected)
    assert codec.decode(x).shape == (len(sizes), *expected)
    # Files of any size can be scored, one at a time or together.
    torch.testing.assert_close(codec.encode(images[1:2])[0], x[1], atol=0, rtol=0)
    assert codec.encode([pictures(77, 11)]).shape == (1, 1, *expected)


def test_colour_of_image_files():
    grey, colour = pictures(12, 9), pictures(12, 9, 3)
    mixed = fit_codec([grey, colour])
    assert mixed.shape == (3, 12, 9)
    x = mixed.encode([grey, colour])
    assert torch.equal(x[0, 0], x[0, 2])
    np.testing.assert_array_equal(mixed.decode(x)[1], colour)
    only_grey = fit_codec([grey, grey.T.copy().T])
    assert only_grey.shape == (1, 12, 9)
    expected = np.asarray(Image.fromarray(colour).convert("L")).astype(int)
    decoded = only_grey.decode(only_grey.encode([colour]))[0].astype(int)
    assert np.abs(decoded - expected).max() <= 1


def test_a_folder_of_deep_and_palette_images(tmp_path):
    deep = pictures(10, 8, dtype="uint16")
    Image.fromarray(deep).save(tmp_path / "deep.png")
    raw = raw_of(tmp_path)
    codec = fit_codec(raw)
    np.testing.assert_array_equal(codec.decode(codec.encode(raw))[0], deep)
    Image.fromarray(pictures(10, 8, 3)).quantize(8).save(tmp_path / "palette.png")
    raw = raw_of(tmp_path, pattern="palette*")
    codec = fit_codec(raw)
    assert codec.shape == (3, 10, 8)
    np.testing.assert_array_equal(codec.decode(codec.encode(raw))[0], raw[0])


def test_state_goes_through_json_and_encodes_bit_for_bit():
    for sample in (pictures(3, 8, 9, dtype="float64") * 7.3, [pictures(90, 70, 3)] * 2):
        codec = fit_codec(sample)
        state, arrays = codec.to_state()
        restored = codec_from_state(json.loads(json.dumps(state)), arrays)
        x = codec.encode(sample)
        assert torch.equal(restored.encode(sample), x)
        assert restored.shape == codec.shape
        np.testing.assert_array_equal(restored.decode(x), codec.decode(x))


def test_each_image_is_encoded_alone():
    X = pictures(7, 3, 21, 13)
    codec = fit_codec(X, image_size=16)
    singles = torch.cat([codec.encode(X[i : i + 1]) for i in range(7)])
    assert torch.equal(singles, codec.encode(X))


def test_a_model_of_either_layout_accepts_the_other():
    X = pictures(4, 3, 10, 12)
    codec = fit_codec(X)
    x = codec.encode(X)
    assert torch.equal(codec.encode(np.moveaxis(X, 1, 3)), x)
    # Grey with and without a channel axis.
    grey = fit_codec(X[:, 0])
    assert torch.equal(grey.encode(X[:, :1]), grey.encode(X[:, 0]))
    assert torch.equal(grey.encode(list(X[:, 0])), grey.encode(X[:, 0]))


def test_no_images_encode_to_none():
    codec = fit_codec(pictures(3, 8, 9))
    assert codec.encode(np.empty((0, 8, 9), np.uint8)).shape == (0, 1, 8, 9)
    assert codec.encode([]).shape == (0, 1, 8, 9)
    assert fit_codec(pictures(3, 8, 9), image_size=10).encode(
        np.empty((0, 8, 9), np.uint8)
    ).shape == (0, 1, 10, 10)


def test_blocks_and_residual_map():
    codec = fit_codec(pictures(3, 3, 8, 9))
    assert codec.blocks() == [Block("gaussian", 0, 3 * 8 * 9)]
    residual = torch.rand(2, 3, 8, 9)
    np.testing.assert_allclose(codec.per_column(residual), residual.numpy().sum(1), rtol=1e-6)
    assert (codec.columns, codec.text_columns) == ([], [])
