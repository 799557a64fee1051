"""A hook of MkDocs: links to files of the repository, which the site does not have, become the files' names."""

import logging
import re
from functools import partial
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)\s]+)\)")
CODE = re.compile(r"^(?P<fence>```|~~~).*?^(?P=fence)", re.MULTILINE | re.DOTALL)

_LOGGER = logging.getLogger("mkdocs.hooks.links")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replaces the links, but those in blocks of code; one to no file is a warning, which fails a strict build."""
    del files
    page_folder = Path(config.docs_dir) / PurePosixPath(page.file.src_uri).parent
    root = Path(config.config_file_path).parent

    name = partial(named, page_folder=page_folder, root=root, page=page.file.src_uri)
    parts, end = [], 0
    for block in CODE.finditer(markdown):
        parts += [LINK.sub(name, markdown[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, LINK.sub(name, markdown[end:])])


def named(match: re.Match[str], page_folder: Path, root: Path, page: str) -> str:
    """The link's text, with the file's path from the repository's top unless the text has it already."""
    target = (page_folder / match["target"].partition("#")[0]).resolve()
    if not target.is_relative_to(root) or not target.exists():
        _LOGGER.warning("%s: the link to '%s' leads to no file of the repository", page, match["target"])
        return match[0]
    path, text = target.relative_to(root).as_posix(), match["text"].strip("`")
    return f"`{path}`" if text in path else f"{match['text']} (`{path}`)"
