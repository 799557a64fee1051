"""The Jinja templates of report.html and the model card."""

import re

from jinja2 import Template

from janus_core.templates import templates_of
from pipeline.report.wording import number, share


def template(name: str) -> Template:
    """A template of `report/page/templates`; in those of HTML, what is filled in is escaped."""
    environment = templates_of("pipeline.report.page")
    environment.filters.update(number=number, share=share, md=escaped_markdown)
    return environment.get_template(name)


def escaped_markdown(text: str) -> str:
    """Text on one line in which nothing is a mark of Markdown or HTML."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]#|!~$])", r"\\\1", flat)
