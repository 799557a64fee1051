"""The options of `janus serve`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class ServeOptions:
    """Where and how the model is served."""

    rest_port: Annotated[int, typer.Option("--rest-port", min=0, max=65535, help="0 picks a free one.")] = 8501
    grpc_port: Annotated[int, typer.Option("--grpc-port", min=0, max=65535, help="0 picks a free one.")] = 8500
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1"
    local: Annotated[bool, typer.Option("--local", help="Use the development server in any case.")] = False
    labels: Annotated[list[str] | None, typer.Option("--labels", metavar="LABEL=VERSION", help="Repeatable.")] = None
    log_requests: Annotated[
        Path | None, typer.Option("--log-requests", metavar="FILE", help="Log a sample of requests and answers.")
    ] = None
    sampling: Annotated[float, typer.Option("--sampling", help="The share of requests that are logged.")] = 0.01
