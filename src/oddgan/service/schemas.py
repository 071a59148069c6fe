"""The form of answers, for the API's description."""

from typing import Literal

from pydantic import BaseModel, Field


class Column(BaseModel):
    """A column of a table."""

    name: str
    kind: str


class ImageSize(BaseModel):
    """What images are brought to."""

    height: int
    width: int
    channels: int
    cut: bool = Field(description="Whether larger images are cut into patches of this size.")


class ModelInfo(BaseModel):
    """A model that is served."""

    name: str
    detector: str
    kind: Literal["table", "image"]
    threshold: float = Field(description="A sample is flagged if its score is greater.")
    target_fpr: float = Field(description="Share of normal samples that this flags.")
    n_held_out: int = Field(description="Held-out normal samples behind threshold and p-values.")
    has_p_values: bool
    has_probabilities: bool
    explains: bool
    columns: list[Column] | None
    condition: list[Column] | None = Field(description="The known condition that samples need.")
    image: ImageSize | None


class Bounds(BaseModel):
    """What one request may have."""

    body: int
    rows: int
    files: int
    pixels: int
    explained: int


class Models(BaseModel):
    """All models that are served."""

    models: list[ModelInfo]
    limits: Bounds


class Contribution(BaseModel):
    """What one column of a row contributes."""

    column: str
    contribution: float
    value: float | bool | str | None
    expected: float | bool | str | None


class TableExplanation(BaseModel):
    """What made a row odd."""

    contributions: list[Contribution] = Field(description="The largest first.")


class ImageExplanation(BaseModel):
    """Where an image is odd."""

    height: int
    width: int
    map: str = Field(description="PNG as a data URL, 8-bit grey; 255 stands for `max`.")
    max: float | None
    pixel_threshold: float | None
    mask: str = Field(description="PNG: white where the map is above `pixel_threshold`.")
    reconstruction: str | None = Field(description="PNG: the nearest normal reconstruction.")


class Sample(BaseModel):
    """What is said of one sample."""

    sample: int | str = Field(description="Number of the row, from 0, or name of the file.")
    anomaly_score: float = Field(description="Higher is odder.")
    p_value: float
    probability: float | None = Field(
        None, description="Of an anomaly; only from models that saw labelled samples."
    )
    flagged: bool
    explanation: TableExplanation | ImageExplanation | None


class Scores(BaseModel):
    """What is said of the samples of a request."""

    model: str
    kind: Literal["table", "image"]
    threshold: float
    n: int
    flagged: int
    samples: list[Sample]


class ErrorInfo(BaseModel):
    """Why a request is not answered."""

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
