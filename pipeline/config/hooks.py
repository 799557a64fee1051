"""The `hooks` section of the configuration: who learns of a run's end."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from janus_core.strict import Positive, StrictModel, Whole

Outcome = Literal["pushed", "unchanged", "blocked", "failed"]
"""pushed: a new version is served; unchanged: nothing was pushed, and nothing failed; blocked: a gate or the serving
check failed; failed: the run ended early."""


class WebhookConfig(StrictModel):
    """Sends what a run came to, as JSON by POST, when it has ended."""

    kind: Literal["webhook"] = Field(description="What is done: `webhook` sends a request.")
    url: str | None = Field(None, description="The address, which must not be secret.")
    url_variable: str | None = Field(
        None, description="The environment variable with the address, where it is secret, as Slack's addresses are."
    )
    token_variable: str | None = Field(
        None, description="The environment variable with a token, which is sent as `Authorization: Bearer`."
    )
    on: Annotated[list[Outcome], Field(min_length=1)] = Field(
        ["pushed", "unchanged", "blocked", "failed"],
        description="Which runs are sent. pushed: a new version is served; unchanged: nothing was pushed, and nothing "
        "failed; blocked: a gate or the serving check failed; failed: the run ended early.",
    )
    timeout_seconds: Positive = Field(10, description="Seconds to wait for an answer.")
    retries: Whole = Field(
        3, description="How often it is tried again without an answer, or after a temporary error: after 0, 2, 4 ... s."
    )

    @model_validator(mode="after")
    def _has_an_address(self) -> "WebhookConfig":
        if (self.url is None) == (self.url_variable is None):
            raise ValueError("give one of url and url_variable")
        parts = urlsplit(self.url or "")
        if self.url is not None and (parts.scheme not in ("http", "https") or not parts.netloc):
            raise ValueError(f"url: '{self.url}' is no address such as https://example.com/runs")
        return self


Hook = WebhookConfig
