"""Write results to files: JSON, Markdown, and the tables between markers in `docs/benchmarks.md`."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.report import conditions
from bench.samples import Results

INTRODUCTION = """# Benchmarks

Measured by `make bench`, all contenders in one run on one machine. The tables between the markers are written by
`python -m bench --write-docs`; how each contender is configured is said atop its driver in `bench/contenders/`.
In parentheses: how many times better than Go asynq in the same run.
"""


def save(results: Results, sections: Mapping[str, str], folder: Path) -> Path:
    """Write `<moment>.json` and `<moment>.md` into *folder* and return the path of the JSON."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.write_text(json.dumps(results.to_json(), indent=1) + "\n")
    path.with_suffix(".md").write_text("\n\n".join([conditions(results), *sections.values()]) + "\n")
    return path


def load(paths: Sequence[Path]) -> Results:
    """Read results that `save` wrote. Of several files the later ones replace what they measured again."""
    first, *others = (Results.from_json(json.loads(path.read_text())) for path in paths)
    for other in others:
        first.update(other)
    return first


def write_docs(results: Results, sections: Mapping[str, str], path: Path) -> None:
    """Put each section between its markers in the document at *path*; what has no markers yet is added at the end.

    Text outside the markers, and sections that were not measured this time, stay as they are.
    """
    text = path.read_text() if path.exists() else INTRODUCTION
    for name, section in {"conditions": conditions(results), **sections}.items():
        text = put_between_markers(text, name, section)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def put_between_markers(text: str, name: str, section: str) -> str:
    """*text* with *section* between the markers of *name*, which are added at the end when there are none."""
    begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    block = f"{begin}\n{section}\n{end}"
    between = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if between.search(text):
        return between.sub(lambda _: block, text)
    return f"{text.rstrip()}\n\n{block}\n"
