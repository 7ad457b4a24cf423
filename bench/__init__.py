"""The bench: what JustChat costs, measured beside something else in the same run.

It owns the scenarios, the comparator, the load generators and the report. It promises figures that say when they are
not to be trusted: a client that is itself saturated, a machine that others use, a stream with a hole.
Run `python -m bench --list`. Nothing in the product imports this package.
"""
