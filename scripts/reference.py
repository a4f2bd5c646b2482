"""Write the pages of the reference that are made from the commands and the documents themselves.

python scripts/reference.py          writes them
python scripts/reference.py --check  fails if one is not as it would be written
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import typer

from asynqpy.cli import documents
from asynqpy.cli.app import COMMANDS
from asynqpy.cli.options import PANEL_OUTPUT, PANEL_REDIS
from asynqpy.web import create_app

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
OPENAPI = ROOT / "ui" / "openapi.json"
"""What the types of the front end are made from, by `pages.py types`."""

GROUPS = ("stats", "queue", "task", "group", "server", "cron", "doctor", "completion")
"""Commands with a page of their own; the others are on the page about all commands."""

MADE = "<!-- Made by `make reference` from the commands themselves. -->"


def pages() -> dict[Path, str]:
    """Each page and its text."""
    made = {FOLDER / "commands" / f"{name}.md": "\n".join(_group(name)) + "\n" for name in GROUPS}
    made[FOLDER / "json.md"] = "\n".join(_json_page()) + "\n"
    made[FOLDER / "json-schema.json"] = json.dumps(_schema(), indent=1) + "\n"
    made[OPENAPI] = json.dumps(_openapi(), indent=1, sort_keys=True) + "\n"
    return made


def _group(name: str) -> Iterator[str]:
    command = typer.main.get_command(import_module(f"asynqpy.cli.{name}").app)
    yield from (MADE, "", f"# asynqpy {name}", "", COMMANDS[name], "")
    yield "Every command has the options that say [where Redis is](../commands.md#where-redis-is)."
    yield "With `--json` they print [documents](../json.md); [exit codes](../commands.md#exit-codes) are the same."
    below = getattr(command, "commands", None)
    if below is None:
        yield from _command(name, command, [], heading=False)
        return
    shown = {words: each for words, each in below.items() if not each.hidden}
    for words, each in shown.items():
        aliases = [other for other, alias in below.items() if alias.hidden and _function(alias) is _function(each)]
        yield from _command(f"{name} {words}", each, aliases, heading=True)


def _function(command: Any) -> Any:
    return inspect.unwrap(command.callback)


def _command(words: str, command: Any, aliases: list[str], *, heading: bool) -> Iterator[str]:
    if heading:
        yield from ("", f"## asynqpy {words}")
    arguments = [each for each in command.params if each.param_type_name == "argument" and not each.hidden]
    usage = " ".join(["asynqpy", words, *(_metavar(each) for each in arguments), "[OPTIONS]"])
    yield from ("", "```console", f"$ {usage}", "```", "")
    yield _links(inspect.cleandoc(command.help or ""))
    if aliases:
        yield from ("", f"Also: {', '.join(f'`{alias}`' for alias in aliases)}.")
    options = [
        each
        for each in command.params
        if each.param_type_name == "option" and not each.hidden and each.rich_help_panel != PANEL_REDIS
    ]
    rows = [*arguments, *sorted(options, key=lambda each: each.rich_help_panel == PANEL_OUTPUT)]
    if rows:
        yield from ("", "| | | |", "|---|---|---|")
        yield from map(_row, rows)


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]..." if argument.nargs == -1 else f"[{name}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{_metavar(parameter)}` | | {_links(parameter.help or '')} |".replace("||", "\\|\\|")
    value = "" if parameter.is_flag else f" {parameter.metavar or ''}"
    names = ", ".join(f"`{name}`" for name in sorted(parameter.opts, key=len)[:-1])
    last = f"`{max(parameter.opts, key=len)}{value}`".replace("|", "\\|")
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    is_told = default not in (None, False) and (isinstance(parameter.show_default, str) or parameter.show_default)
    told = "needed" if parameter.required else str(default) if is_told else ""
    return f"| {names + ', ' if names else ''}{last} | {told} | {_links(parameter.help or '')} |"


def _links(text: str) -> str:
    return re.sub(r"(?<![`\w])(--[a-z][a-z-]+)(?![`\w])", r"`\1`", text)


def _structs() -> list[type[documents.Document]]:
    return [
        value
        for value in vars(documents).values()
        if isinstance(value, type) and issubclass(value, documents.Document) and value is not documents.Document
    ]


def _json_page() -> Iterator[str]:
    yield from (MADE, "", "# JSON", "")
    yield inspect.cleandoc(
        """
        With `--json` a command prints one document, in one line; commands that go on (`task find`, `task watch`,
        `task ls --all`, and everything with `--watch`) print one a line (NDJSON). Errors stay on standard error, and
        [exit codes](commands.md#exit-codes) are the same.

        Durations are numbers of seconds and end in `_seconds`. Moments are ISO 8601 in UTC. `null` stands for what is
        not there. A payload or result is text; if it is no UTF-8 it is `null`, and the field that ends in `_base64` has
        it. Fields may be added; none is renamed or taken away. The same as a [JSON schema](json-schema.json).

        `asynqpy stats --json` is the exception: it prints the object that asynq's command prints, with the names of Go
        and a latency in nanoseconds, so that scripts go on working. `asynqpy queue ls --json` has the same numbers.
        """
    )
    yield from ("", "```console", "$ asynqpy task ls -q email -s archived --json | jq -r '.tasks[].last_error'", "```")
    told = _field_docs()
    for struct in _structs():
        yield from (
            "",
            f"## {struct.__name__}",
            "",
            _links(inspect.cleandoc(struct.__doc__ or "").replace("``", "`")),
            "",
        )
        yield from ("| Field | Type | |", "|---|---|---|")
        for field in msgspec.structs.fields(struct):
            doc = told.get((struct.__name__, field.name), "").replace("\n", " ")
            yield f"| `{field.name}` | {_type(struct, field.name)} | {doc} |"


def _type(struct: type, name: str) -> str:
    text: str = struct.__annotations__[name]
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "datetime": "moment"}
    words |= {"TaskState": "state", "None": "null"}
    parts = []
    for part in text.split(" | "):
        if part.startswith("list["):
            inner = part[5:-1]
            parts.append(f"list of {words.get(inner) or f'[{inner}](#{inner.lower()})'}")
        elif part.startswith("dict["):
            parts.append("object")
        else:
            parts.append(words[part])
    return " or ".join(parts)


def _field_docs() -> dict[tuple[str, str], str]:
    """The texts below fields, which Python does not keep."""
    found = {}
    for node in ast.parse(Path(documents.__file__).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for before, after in zip(node.body, node.body[1:], strict=False):
                is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and is_text:
                    found[node.name, before.target.id] = inspect.cleandoc(str(after.value.value))  # type: ignore[attr-defined]
    return found


def _schema() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_structs(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What asynqpy prints with --json",
        "$defs": {name: components[name] for name in sorted(components)},
    }


def _openapi() -> dict[str, Any]:
    return {**create_app("redis://localhost").openapi(), "servers": [{"url": "/"}]}


def main() -> int:
    """Write the pages, or tell which are old."""
    old = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in old:
            print(f"{path} is not what `make reference` writes")
        return bool(old)
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(old)} pages written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
