"""``python -m asynqpy`` is the command ``asynqpy``."""

import sys

from asynqpy.cli.app import main

if __name__ == "__main__":  # processes spawned for isolated handlers import this module again
    sys.exit(main())
