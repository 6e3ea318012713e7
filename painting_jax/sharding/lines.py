"""Lines of text between processes that train together."""

import contextlib
import socket

_OURS = "painting_jax: "  # begins every line: the port may be another program's
_LONGEST = 300  # bytes of a line


def say(connection: socket.socket, line: str) -> None:
    """Sends a line, unless nobody takes it any more."""
    with contextlib.suppress(OSError):
        connection.sendall(f"{_OURS}{line}\n".encode())


def heard(connection: socket.socket) -> str:
    """A line of a process of ours; empty if none comes in the connection's time."""
    text = b""
    with contextlib.suppress(OSError):
        while not text.endswith(b"\n") and len(text) < _LONGEST:
            # The next line is for who reads next.
            more = connection.recv(1)
            if not more:
                break
            text += more
    line = text.decode(errors="replace").strip()
    return line.removeprefix(_OURS) if line.startswith(_OURS) else ""
