"""Binds the executed lessons to a book of HTML pages with a table of contents."""

import html
import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from layout import BOOK
from template import write

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>toalign: the course</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42em; margin: 3em auto; padding: 0 1em; color: #222; }}
li {{ margin: 0.8em 0; }}
a {{ color: #0b5394; font-weight: 600; }}
</style>
<h1>toalign: the course</h1>
<ol start="0">
{entries}
</ol>
</html>
"""


def opening(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """A lesson's title, and the first sentence below it."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# +(.+)$", text, re.MULTILINE)
    if title is None:
        return "", ""
    paragraphs = [part.strip() for part in text[title.end() :].split("\n\n")]
    prose = next((part for part in paragraphs if part and not re.match(r"[#|!<>`$*\-]", part)), "")
    prose = re.sub(r"\[([^\]]+)\]\([^)]+\)|[*`_]{1,2}", r"\1", " ".join(prose.split()))
    sentence = re.match(r".+?[.!?](?=\s|$)", prose)
    return title[1].replace("`", ""), sentence[0] if sentence else prose


def bind(pages: dict[Path, Path]) -> None:
    """Writes one page for each lesson and the index; `pages` says where each lesson's executed notebook is."""
    exporter = HTMLExporter(template_name="lab")
    entries = []
    for lesson, executed in pages.items():
        notebook = nbformat.read(executed, as_version=4)
        body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": lesson.stem}})
        write(BOOK / f"{lesson.stem}.html", body)
        title, sentence = opening(notebook)
        link = f'<a href="{html.escape(lesson.stem)}.html">{html.escape(title or lesson.stem)}</a>'
        entries.append(f"<li>{link}<br>{html.escape(sentence)}</li>")
    write(BOOK / "index.html", PAGE.format(entries="\n".join(entries)))
