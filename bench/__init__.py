"""Benchmarks: asynqpy beside Go's asynq and the Python queues on Redis, on one machine in one run.

`python -m bench --list` says what is measured. Drivers of the peers run in their own environments and import this
package too, so nothing here may need more than the standard library.
"""
