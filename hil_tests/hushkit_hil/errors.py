"""What the bench reports when it cannot measure."""


class BenchError(Exception):
    """Root of the bench's errors: a target that does not start, a run without an end marker, a trace cut short.

    A bench error never counts as a result: the command exits with status 2, a test errors instead of failing.
    """


class TargetError(BenchError):
    """A target cannot run, or did not run to its end."""
