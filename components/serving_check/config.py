"""The limits of the serving check."""

from typing import Annotated, Literal

from pydantic import Field

from janus_core.strict import Count, Number, StrictModel

Limit = Annotated[Number, Field(gt=0)]


class LatencyLimits(StrictModel):
    """The most milliseconds that a request may take; None: no limit."""

    batch_1_p50_ms: Limit | None = None
    batch_1_p99_ms: Limit | None = None
    batch_128_p50_ms: Limit | None = None
    batch_128_p99_ms: Limit | None = None


class CheckConfig(StrictModel):
    """What the check does, and the limits for a model; a megabyte is 2^20 bytes.

    Attributes:
        check_rows: how many rows of the eval split are sent through each signature, the first ones.
        warmup_rows: how many rows go with the model as warm-up requests.
        warmup: whether these are made from statistics, or are the first rows of the eval split.
        sensitive: columns whose values are replaced by placeholders in both.
        images: columns of encoded images, which warm-up requests made from statistics have a grey one in.
        dates: columns of dates, which such requests have made ones in → their form, empty for the default one.
        time_limit_seconds: of the model's process.
        memory_limit_mb: of the model's process, resident.
        size_limit_mb: of the model's files; None: no limit.
        latency: of serving_default and of serving_columns.
    """

    check_rows: Count = 64
    warmup_rows: Annotated[int, Field(ge=0)] = 8
    warmup: Literal["synthetic", "real"] = "synthetic"
    sensitive: list[str] = []
    images: list[str] = []
    dates: dict[str, str] = {}
    time_limit_seconds: Limit = 300
    memory_limit_mb: Limit = 4096
    size_limit_mb: Limit | None = None
    latency: LatencyLimits = LatencyLimits()
