"""Paths and URLs of a folder of versions, and the names in it."""

import os

Location = str | os.PathLike[str]
"""A path, or a URL such as gs://bucket/models. A URL must stay text: pathlib would take a slash from it."""


def is_url(location: Location) -> bool:
    """Whether it names a filesystem of its own, as gs://, s3://, hdfs:// do."""
    return "://" in os.fspath(location)


def join(base: Location, *names: str | int) -> str:
    """A path or URL below another."""
    return "/".join([os.fspath(base).rstrip("/"), *map(str, names)])


def is_version(name: str) -> bool:
    """Whether a folder of this name is a version: its number, without leading zeros."""
    return name.isascii() and name.isdigit() and str(int(name)) == name
