"""TCP ports on the loopback: pick a free one, and say who holds a taken one."""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Let the system pick a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def obstacle(port: int) -> str | None:
    """Say why no server can listen on a port now; None when one can."""
    if not 1 <= port <= 65535:
        return "is no TCP port, expected 1 to 65535"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return "is open to root alone"
        except OSError:
            return f"is held by {holder(port)}"
        return None


def holder(port: int) -> str:
    """Name the process that listens on a port, as far as this user may know."""
    inodes = _listening_inodes(port)
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal() and _holds(directory, inodes):
            return f"{_command(directory)} (pid {directory.name})"
    return "a process of another user"


def _listening_inodes(port: int) -> set[str]:
    """Socket inodes listening on a port. Source: proc_pid_net(5), state 0A is LISTEN."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        rows = Path(table).read_text().splitlines()[1:] if Path(table).exists() else []
        for row in rows:
            fields = row.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def _holds(directory: Path, inodes: set[str]) -> bool:
    try:
        return any(str(entry.readlink()) in inodes for entry in (directory / "fd").iterdir())
    except OSError:  # gone meanwhile, or another user's
        return False


def _command(directory: Path) -> str:
    try:
        return (directory / "comm").read_text().strip()
    except OSError:
        return "a process"
