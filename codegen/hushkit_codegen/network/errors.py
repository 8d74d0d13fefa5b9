"""What the network compiler refuses."""


class NetworkError(Exception):
    """A model that cannot be compiled: names operator and tensor, says what was found, expected and to do."""
