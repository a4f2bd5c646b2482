"""Entry of every Python driver: `python -m bench.contenders.shared.launch NAME work|produce`.

The driver is imported under its own name, never run as `__main__`, because queues find task functions by module path.
"""

import importlib
import json
import sys
import time
from dataclasses import asdict, replace

from bench.contenders.shared.settings import Settings


def main() -> None:
    """Run a worker until it is told to stop, or produce tasks and print one line of JSON."""
    name, verb = sys.argv[1:3]
    sys.argv = sys.argv[:1]  # several queues read the command line themselves
    driver = importlib.import_module(f"bench.contenders.{name}.driver")
    settings = Settings.from_environment()
    if verb == "work":
        driver.work(settings)
    else:
        cpu_before = time.process_time()
        production = driver.PRODUCERS[settings.mode](settings)
        print(json.dumps(asdict(replace(production, cpu_seconds=time.process_time() - cpu_before))))


if __name__ == "__main__":
    main()
