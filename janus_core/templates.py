"""Jinja templates, with the same settings everywhere."""

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@functools.cache
def templates_of(package: str, folder: str = "templates") -> Environment:
    """The templates in a folder of a package; what is filled into .html is escaped, and an unknown name is an error."""
    return Environment(
        loader=PackageLoader(package, folder),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
