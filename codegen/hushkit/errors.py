"""Bad input, as every command reports it."""


class InputError(Exception):
    """Input that cannot be used: says what was found, what was expected and what to do.

    Every package's own exception root derives from ``Exception``; commands wrap it in this one at the edge, so that
    ``hushkit`` prints one line on standard error and exits with status 2.
    """
