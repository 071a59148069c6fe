"""The schemas of responses, for the API description."""

from typing import Literal

from pydantic import BaseModel, Field


class Column(BaseModel):
    """A column of a table."""

    name: str
    kind: str


class ImageSize(BaseModel):
    """The size to which images are resized."""

    height: int
    width: int
    channels: int
    cut: bool = Field(description="Whether larger images are cut into patches of this size.")


class ModelInfo(BaseModel):
    """A served model."""

    name: str
    detector: str
    kind: Literal["table", "image"]
    threshold: float | None = Field(
        description="A sample is flagged if its score is greater; null: no sample is flagged, as "
        "there are too few held-out samples for `target_fpr`."
    )
    target_fpr: float = Field(description="Target share of normal samples that are flagged.")
    n_held_out: int = Field(
        description="Number of held-out normal samples behind threshold and p-values."
    )
    has_p_values: bool
    has_probabilities: bool
    explains: bool
    columns: list[Column] | None
    condition: list[Column] | None = Field(description="The condition that samples need.")
    image: ImageSize | None


class Bounds(BaseModel):
    """Limits of one request."""

    body: int
    rows: int
    files: int
    pixels: int
    explained: int


class Models(BaseModel):
    """All served models."""

    models: list[ModelInfo]
    limits: Bounds


class Contribution(BaseModel):
    """The contribution of one column of a row."""

    column: str
    contribution: float
    value: float | bool | str | None
    expected: float | bool | str | None


class TableExplanation(BaseModel):
    """Explanation of a row's score."""

    contributions: list[Contribution] = Field(description="Largest first.")


class ImageExplanation(BaseModel):
    """Explanation of an image's score."""

    height: int
    width: int
    map: str = Field(description="PNG as a data URL, 8-bit grey; 255 means `max`.")
    max: float | None
    pixel_threshold: float | None
    mask: str = Field(description="PNG: white where the map is above `pixel_threshold`.")
    reconstruction: str | None = Field(description="PNG: the nearest normal reconstruction.")


class Sample(BaseModel):
    """The result for one sample."""

    sample: int | str = Field(description="Row number, from 0, or file name.")
    anomaly_score: float = Field(description="Higher is more anomalous.")
    p_value: float
    probability: float | None = Field(
        None, description="Of an anomaly; only for models with calibrated probabilities."
    )
    flagged: bool
    explanation: TableExplanation | ImageExplanation | None


class Scores(BaseModel):
    """The results for the samples of a request."""

    model: str
    kind: Literal["table", "image"]
    threshold: float | None
    n: int
    flagged: int
    samples: list[Sample]


class ErrorInfo(BaseModel):
    """Why a request was refused."""

    status: int
    message: str


class Error(BaseModel):
    """The body of every refusal."""

    error: ErrorInfo


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok", "not ready"]
    live: bool
    ready: bool
    models: int
