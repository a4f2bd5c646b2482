"""Nothing public is left out of the documentation, and nothing in it is made up."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import typer

import asynqpy
from asynqpy import EnqueueOptions, Inspector, ServerConfig, TaskInfo, TaskState
from asynqpy._wire import keys
from asynqpy.cli.app import COMMANDS
from scripts.reference import GROUPS, pages

from .page import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "adr")]
WITHOUT_PAGE = {"__version__"}
_LINK = re.compile(r"\]\(([^)#:]+\.md)?(#[^)]+)?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as both the site and code hosts make them."""
    headings = _HEADING.findall(re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reference_has_every_public_name() -> None:
    """What the package exports is on some page of the reference, by itself or with its module."""
    reference = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md"))
    listed = set(re.findall(r"^::: asynqpy\.(\w+)$", reference, re.MULTILINE))
    modules = [value for name in listed if isinstance(value := getattr(asynqpy, name), ModuleType)]
    with_modules = {name for module in modules for name in vars(module)}
    assert set(asynqpy.__all__) - listed - with_modules == WITHOUT_PAGE


def test_the_table_of_options_has_every_option() -> None:
    """One row for each keyword argument of enqueue, and no other."""
    part = text("howto/enqueue.md").partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    assert sorted(rows) == sorted(EnqueueOptions.__annotations__)


@pytest.mark.parametrize("name", [field.name for field in fields(ServerConfig)])
def test_users_of_asynq_find_every_setting(name: str) -> None:
    """Each setting of a server is in the table of names."""
    assert f"`{name}`" in text("compatibility.md")


def test_users_of_asynq_find_every_field_of_a_task() -> None:
    """The fields of TaskInfo are those of the table, which writes them as Go does, and ours beside them."""
    part = text("compatibility.md").partition("\n### Tasks\n")[2].partition("\n### ")[0]
    row = re.findall(r"^\|(.*)\| the same in lower case", part, re.MULTILINE)
    beside = re.findall(r"`(\w+)`", "".join(re.findall(r"\| And (`.*) \|$", part, re.MULTILINE)))
    go = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in re.findall(r"`\.(\w+)`", " ".join(row))}
    ours = {name for name in dir(TaskInfo) if not name.startswith("_")}
    assert go | {"last_error", *beside} == ours


@pytest.mark.parametrize("name", [name for name in vars(Inspector) if not name.startswith("_")])
def test_users_of_asynq_find_every_method_of_the_inspector(name: str) -> None:
    """Each is in the table of names."""
    part = text("compatibility.md").partition("\n### Inspector\n")[2].partition("\n### ")[0]
    assert re.search(rf"`{name}\b", part)


def test_the_page_of_states_has_every_state_once() -> None:
    """The first table is about them, in the words that Redis holds."""
    first = text("concepts/states.md").partition("## Transitions")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", first, re.MULTILINE)) == sorted(TaskState)


def test_users_of_asynq_are_told_of_all_that_we_add() -> None:
    """Each field and key with py: in its name, wherever it is written, is in the table; and nothing else is."""
    sources = [*(ROOT / "src/asynqpy/_broker/lua").glob("*.lua"), Path(keys.__file__)]
    written = {name for path in sources for name in re.findall(r"py:\w+", path.read_text(encoding="utf-8"))}
    assert set(re.findall(r"py:\w+", text("compatibility.md"))) == written


@pytest.mark.parametrize("name", [name for name in COMMANDS if not (DOCS / f"reference/commands/{name}.md").exists()])
def test_the_page_of_commands_has_every_option(name: str) -> None:
    """Each option of a command is in the part about it, and nothing else is."""
    part = text("reference/commands.md").partition(f"\n## asynqpy {name}\n")[2].partition("\n## ")[0]
    app = import_module(f"asynqpy.cli.{name}").app
    shown = [each for each in typer.main.get_command(app).params if not getattr(each, "hidden", False)]
    options = {option for each in shown for option in each.opts if option[0] == "-"}
    assert set(re.findall(r"`(--?[a-zA-Z][a-z-]*)", part)) == options - {"--help", "-h"}


@pytest.mark.parametrize(("path", "made"), pages().items(), ids=lambda value: getattr(value, "name", ""))
def test_pages_that_are_made_are_current(path: Path, made: str) -> None:
    """What `make reference` writes is what is there."""
    assert path.read_text(encoding="utf-8") == made


def test_every_command_has_a_page_or_a_part() -> None:
    """Those that look at queues and tasks have pages of their own, the others are on the page of commands."""
    parts = set(re.findall(r"^## asynqpy (\w+)$", text("reference/commands.md"), re.MULTILINE))
    assert parts | set(GROUPS) == set(COMMANDS)


LOG_MESSAGES = re.findall(r"^\| `([^`]+)` \|", text("howto/monitor.md").partition("## Health")[0], re.MULTILINE)


@pytest.mark.parametrize("message", LOG_MESSAGES)
def test_the_messages_to_look_for_are_logged(message: str) -> None:
    """Each stands in the source; an ellipsis is what is filled in."""
    source = "".join(
        re.sub(r"\"\s*\n\s*\"", "", path.read_text(encoding="utf-8")) for path in (ROOT / "src").rglob("*.py")
    )
    assert all(piece in source for piece in message.split("…"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Pages are there, and headings on them."""
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        assert not anchor or anchor[1:] in anchors(path), f"{target}{anchor}"
