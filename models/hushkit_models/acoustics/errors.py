"""The exception root of the acoustic models."""


class AcousticsError(Exception):
    """Acoustic input that cannot be used: says what was found, what was expected and what to do."""
