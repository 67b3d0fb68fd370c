"""Runs lessons without a browser, and fails if anything in them failed: `notebooks/lab --run`.

The kernel reports a failing `?` and a panic only on standard error, and goes on. A lesson is therefore good only if no cell
wrote to standard error.
"""

import argparse
import asyncio
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

import book
from layout import BOOK, NOTEBOOKS
from template import write

LARGEST = 1_500_000  # bytes of a lesson
KERNEL = {"display_name": "Rust (toalign)", "language": "rust", "name": "toalign"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def lessons(names: list[str]) -> list[Path]:
    """The notebooks that the names mean: all, or those whose name begins so, or paths."""
    course = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return course
    chosen = []
    for name in names:
        found = [Path(name)] if name.endswith(".ipynb") else [one for one in course if one.name.startswith(name)]
        if not found or not found[0].exists():
            known = ", ".join(one.stem for one in course) or "none"
            sys.exit(f"lab: expected a lesson's number or path; found “{name}”. The lessons are: {known}.")
        chosen += found
    return chosen


def failures(notebook: nbformat.NotebookNode) -> list[str]:
    """What went wrong, one text for each cell."""
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        texts = []
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                texts.append("\n".join(output.traceback) or output.evalue)
            elif output.output_type == "stream" and output.name == "stderr" and output.text.strip():
                texts.append(output.text)
        if texts:
            found.append(f"cell {number}:\n" + COLOUR.sub("", "\n".join(texts)).strip())
    return found


class Client(NotebookClient):
    """Runs a lesson; before a cell of checks it breaks what these look at, one thing at a time, and keeps what went unnoticed.

    Such a cell lists in its metadata, under `breaks`, Rust to go before it (`with`) and the message of the check that must then
    fail (`fails`).
    """

    def __init__(self, notebook: nbformat.NotebookNode, **settings: object) -> None:
        super().__init__(notebook, **settings)
        self.unnoticed: list[str] = []

    async def async_execute_cell(self, cell, cell_index, execution_count=None, store_history=True):
        """Runs a cell, after its broken forms."""
        executed = self.code_cells_executed
        for one in cell.metadata.get("breaks", []):
            # In braces: what it names anew must not take the place of what the cells above made.
            broken = nbformat.v4.new_code_cell("{\n" + one["with"] + "\n" + cell.source + "\n}")
            await super().async_execute_cell(broken, cell_index, store_history=False)
            said = "\n".join(failures(nbformat.v4.new_notebook(cells=[broken])))
            if one["fails"] not in said:
                self.unnoticed.append(
                    f"cell {cell_index + 1}: expected that the check “{one['fails']}” fails after “{one['with']}”; "
                    f"found {said or 'that nothing does'}"
                )
        self.code_cells_executed = executed
        return await super().async_execute_cell(cell, cell_index, execution_count, store_history)


async def execute(path: Path) -> tuple[nbformat.NotebookNode, list[str]]:
    """Runs all cells in the lesson's own folder; gives back the notebook with its outputs, and the checks that did not notice."""
    notebook = nbformat.read(path, as_version=4)
    client = Client(
        notebook,
        kernel_name="toalign",
        timeout=None,
        startup_timeout=600,
        allow_errors=True,
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    await client.async_execute()
    # What would change with every run or editor goes, so that differences show what matters.
    language = {key: notebook.metadata.get("language_info", {}).get(key) for key in ("name", "mimetype", "file_extension")}
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": language})
    for cell in notebook.cells:
        for volatile in ("execution", "collapsed", "scrolled", "trusted", "ExecuteTime"):
            cell.metadata.pop(volatile, None)
    return notebook, client.unnoticed


async def run(path: Path, to: Path) -> bool:
    """Runs one lesson, and writes it if all of it worked."""
    begun = time.monotonic()
    try:
        notebook, unnoticed = await execute(path)
    except (DeadKernelError, CellTimeoutError, RuntimeError) as error:
        print(f"{path.stem}: the kernel ended; expected that it runs all cells. Its last words: {error}", flush=True)
        return False
    seconds = time.monotonic() - begun
    wrong = failures(notebook) + unnoticed
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    print(f"{path.stem}: {seconds:.0f} s, {size / 1e6:.2f} MB", flush=True)
    if size > LARGEST:
        wrong.append(f"expected at most {LARGEST / 1e6} MB with outputs, found {size / 1e6:.2f} MB: show fewer or smaller pictures")
    for one in wrong:
        print(f"{path.name}, {one}\n", flush=True)
    if not wrong:
        write(to, text)
    return not wrong


async def run_all(written: dict[Path, Path], jobs: int) -> list[str]:
    """Runs lessons, `jobs` of them at a time; the names of those that failed."""
    turn = asyncio.Semaphore(jobs)

    async def in_turn(path: Path, to: Path) -> bool:
        async with turn:
            return await run(path, to)

    good = await asyncio.gather(*(in_turn(path, to) for path, to in written.items()))
    return [path.stem for path, worked in zip(written, good) if not worked]


def main() -> None:
    """Runs the lessons that the command line names, then binds the book."""
    parser = argparse.ArgumentParser(prog="notebooks/lab --run", description="Run lessons without a browser.")
    parser.add_argument("lesson", nargs="*", help="a lesson's number, the beginning of its name, or a path; default: all")
    parser.add_argument("--out", type=Path, help="write the executed notebooks here instead of in place")
    parser.add_argument("--jobs", type=int, default=1, help="lessons at a time; what they say about time then means nothing (default: 1)")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error(f"--jobs: expected at least 1, found {arguments.jobs}")
    chosen = lessons(arguments.lesson)
    written = {path: (arguments.out / path.name if arguments.out else path) for path in chosen}
    failed = asyncio.run(run_all(written, arguments.jobs))
    if failed:
        sys.exit(f"lab: expected that no cell fails or writes to standard error; found the above in: {', '.join(failed)}.")
    book.bind({path: written.get(path, path) for path in sorted({*lessons([]), *chosen})})
    print(f"The book: {BOOK / 'index.html'}")


if __name__ == "__main__":
    main()
