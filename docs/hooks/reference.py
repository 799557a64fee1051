"""A hook of MkDocs: makes the page of the configuration's keys and of the metrics, which is in no file."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipeline.commands.explain.markdown import metrics_chapter, reference_page
from pipeline.config import JanusConfig
from pipeline.config.keys import keys_of


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds reference.md."""
    content = reference_page(keys_of(JanusConfig)) + metrics_chapter()
    files.append(File.generated(config, "reference.md", content=content))
    return files
