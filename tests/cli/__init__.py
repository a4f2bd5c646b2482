"""The command line, run as people run it: in processes of its own, against real servers."""
