"""Explanations as JSON holds them: contributions of columns, and maps of images as PNG."""

import base64
import io
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from oddgan.detectors import ImageExplanation, TableExplanation

from . import deadline
from .models import Model
from .samples import Samples


def explained(model: Model, samples: Samples) -> list[dict[str, Any]]:
    """Return for each sample what made it as odd as it is."""
    answers: list[dict[str, Any]] = []
    for _, explanation in model.detector.iter_outputs(model.open(samples), "explain"):
        start = len(answers)
        stop = start + len(explanation)
        part = Samples(samples.raw[start:stop], conditions=_part(samples.conditions, start, stop))
        of_kind = _of_rows if model.kind == "table" else _of_images
        answers += of_kind(model, part, explanation)
    return answers


def _part(conditions: pa.Table | None, start: int, stop: int) -> pa.Table | None:
    return None if conditions is None else conditions[start:stop]


# ---------------------------------------------------------------------------------------- tables


def _of_rows(_model: Model, _rows: Samples, explanation: TableExplanation) -> list[dict[str, Any]]:
    """Return the columns of each row, those that contribute most first."""
    names, expected = explanation.columns, None
    values = _cells(explanation.values)
    if explanation.expected is not None:
        expected = _cells(explanation.expected)
    return [
        {
            "contributions": [
                {
                    "column": names[j],
                    "contribution": plain(row[j]),
                    "value": values[j][i],
                    "expected": None if expected is None else expected[j][i],
                }
                for j in np.argsort(-row, kind="stable")
            ]
        }
        for i, row in enumerate(explanation.contributions)
    ]


def _cells(frame: pd.DataFrame) -> list[list[Any]]:
    """Return the values of a frame, column by column."""
    columns = (frame.iloc[:, j].tolist() for j in range(frame.shape[1]))
    return [[plain(value) for value in column] for column in columns]


def plain(value: Any) -> Any:
    """Return a value of a table as JSON holds it; a number that is not finite is null."""
    if value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# ---------------------------------------------------------------------------------------- images


def _of_images(
    model: Model, images: Samples, explanation: ImageExplanation
) -> list[dict[str, Any]]:
    """Return the map of each image, and the pixels that are odd by the pixel threshold."""
    threshold = explanation.pixel_threshold
    normal = _reconstructions(model, images)
    answers = []
    for i, each in enumerate(explanation.anomaly_map):
        deadline.check()
        anomaly_map = np.asarray(each, dtype=np.float64)
        most = float(anomaly_map.max())
        answers.append(
            {
                "height": anomaly_map.shape[0],
                "width": anomaly_map.shape[1],
                "map": png(anomaly_map / most if most > 0 else np.zeros_like(anomaly_map)),
                "max": plain(most),
                "pixel_threshold": plain(threshold),
                "mask": png(anomaly_map > threshold),
                "reconstruction": None if normal is None else png(normal[i]),
            }
        )
    return answers


def _reconstructions(model: Model, images: Samples) -> list[NDArray[np.float64]] | None:
    """Return the nearest normal reconstructions, each (h, w) or (h, w, 3) in [0, 1].

    None where the detector has none, or would have to search for them once more.
    """
    if not model.can("reconstruct") or model.searches:
        return None
    chunks = model.detector.iter_outputs(model.open(images), "reconstruct")
    return [_shown(image) for _, answers in chunks for image in answers]


def _shown(image: NDArray[Any]) -> NDArray[np.float64]:
    """Bring pixels to [0, 1]: whole numbers from their range, floats from their own."""
    if image.dtype.kind == "u":
        return image / np.iinfo(image.dtype).max
    low, high = float(image.min()), float(image.max())
    return (image.astype(np.float64) - low) / ((high - low) or 1.0)


def png(values: NDArray[Any]) -> str:
    """Return an image of values in [0, 1] as a data URL."""
    pixels = np.rint(255 * np.asarray(values, dtype=np.float64)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
