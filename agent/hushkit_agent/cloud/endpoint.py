"""Where the cloud is, and as whom the agent comes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and PEM files."""

    host: str
    port: int
    ca: Path
    cert: Path
    key: Path
