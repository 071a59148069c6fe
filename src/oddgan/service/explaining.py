"""Explanations as JSON: contributions of columns, and maps of images as PNG."""

import base64
import io
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from oddgan.detectors import ImageExplanation, TableExplanation

from . import deadline
from .models import Model
from .samples import Samples


def explain(model: Model, samples: Samples) -> list[dict[str, Any]]:
    """Return an explanation for each sample."""
    answers: list[dict[str, Any]] = []
    for _, explanation in model.detector.iter_outputs(model.open(samples), "explain"):
        start = len(answers)
        stop = start + len(explanation)
        conditions = None if samples.conditions is None else samples.conditions[start:stop]
        chunk = Samples(samples.raw[start:stop], conditions=conditions)
        to_json = _of_rows if model.kind == "table" else _of_images
        answers += to_json(model, chunk, explanation)
    return answers


# ---------------------------------------------------------------------------------------- tables


def _of_rows(_model: Model, _rows: Samples, explanation: TableExplanation) -> list[dict[str, Any]]:
    """Return the columns of each row, largest contribution first."""
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
    """Return a table's value for JSON; a number that is not finite becomes null."""
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
    """Return the map of each image, and the pixels above the pixel threshold."""
    threshold = explanation.pixel_threshold
    reconstructions = _reconstructions(model, images)
    answers = []
    for i, values in enumerate(explanation.anomaly_map):
        deadline.check()
        anomaly_map = np.asarray(values, dtype=np.float64)
        peak = float(anomaly_map.max())
        answers.append(
            {
                "height": anomaly_map.shape[0],
                "width": anomaly_map.shape[1],
                "map": png(anomaly_map / peak if peak > 0 else np.zeros_like(anomaly_map)),
                "max": plain(peak),
                "pixel_threshold": plain(threshold),
                "mask": png(anomaly_map > threshold),
                "reconstruction": None if reconstructions is None else png(reconstructions[i]),
            }
        )
    return answers


def _reconstructions(model: Model, images: Samples) -> list[NDArray[np.float64]] | None:
    """Return the nearest normal reconstructions, each (h, w) or (h, w, 3) in [0, 1].

    None if the detector has none, or would have to repeat its search for them.
    """
    if not model.can("reconstruct") or model.searches:
        return None
    chunks = model.detector.iter_outputs(model.open(images), "reconstruct")
    return [_to_unit(image) for _, answers in chunks for image in answers]


def _to_unit(image: NDArray[Any]) -> NDArray[np.float64]:
    """Scale pixels to [0, 1]: integers by the range of their type, floats by that of the image."""
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
