"""A hook of MkDocs: makes the page of the configuration's keys, which is in no file."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipeline.config import JanusConfig
from pipeline.reference.keys import keys_of
from pipeline.reference.markdown import reference_page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds reference.md."""
    files.append(File.generated(config, "reference.md", content=reference_page(keys_of(JanusConfig))))
    return files
