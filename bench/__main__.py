"""`python -m bench`: measure, print the tables, and save them."""

import signal
import sys
from argparse import Namespace
from collections.abc import Mapping

from bench import documents, goals, measures, report
from bench.arguments import parser
from bench.contender import ROOT
from bench.measures.measure import Measure
from bench.redis_server import running_server
from bench.registry import CONTENDERS
from bench.runner import known, take
from bench.samples import Results
from bench.stage import Stage

RUNS = 3


def main() -> None:
    """Do what the command line asks for."""
    arguments = parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that workers and server are ended then too
    if arguments.list:
        _list()
        return
    earlier = arguments.from_results
    results = documents.load(earlier) if earlier else _measure(arguments)
    sections = _sections(results)
    print("", report.conditions(results), *sections.values(), sep="\n\n")
    if not earlier:
        print(f"\nsaved in {documents.save(results, sections, ROOT / 'results')} and beside it as Markdown")
    if arguments.write_docs:
        documents.write_docs(results, sections, arguments.write_docs)


def _measure(arguments: Namespace) -> Results:
    chosen = _chosen(arguments.only)
    names = arguments.contenders.split(",") if arguments.contenders else list(CONTENDERS)
    if unknown := [name for name in names if name not in CONTENDERS]:
        sys.exit(f"unknown contenders: {', '.join(unknown)}; there are {', '.join(CONTENDERS)}")
    runs = arguments.runs or (1 if arguments.quick else RUNS)
    with running_server(arguments.redis) as server:
        print(f"server: {server.version} on port {server.port}", flush=True)
        with Stage.on(server, quick=arguments.quick, slow=arguments.slow) as stage:
            return take(stage, chosen, known(names), runs=runs, patience_seconds=arguments.patience)


def _chosen(only: list[str] | None) -> list[Measure]:
    by_name = {measure.name: measure for measure in measures.ALL}
    names = [name for group in only or by_name for name in group.split(",")]
    if unknown := [name for name in names if name not in by_name]:
        sys.exit(f"unknown measures: {', '.join(unknown)}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names]


def _sections(results: Results) -> Mapping[str, str]:
    sections = report.markdown(results, [(m.name, m.title, m.explanation) for m in measures.ALL])
    reached = goals.markdown(results)
    return {**sections, "goals": reached} if reached else sections


def _list() -> None:
    for measure in measures.ALL:
        print(f"{measure.name:12} {measure.title}: {', '.join(measure.contenders + measure.slow_contenders)}")
    for contender in CONTENDERS.values():
        print(f"{contender.name:12} {contender.title}: {'; '.join(contender.notes)}")


if __name__ == "__main__":
    main()
