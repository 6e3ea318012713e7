"""Processes that train together stay in touch: none waits long for one that is gone.

A collective operation waits for all processes. JAX gives up a lost one after 100 seconds, and then
ends with a report of its own. Here the others end within seconds, with one line and a status with
which launchers start a training anew.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping

from painting_jax.errors import UserError
from painting_jax.sharding.lines import heard, say

# Seconds in which a process ends by itself once another has ended with an error: most mistakes are
# those of all.
_GRACE = 10.0
# Seconds in which a process that has ended its work leaves, although another is gone.
_LAST_WORDS = 5.0
# A computer without power or network says nothing. This is seconds until the first question,
# between questions, and their number.
_QUESTIONS = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
# Of a process that SIGTERM has stopped: launchers start it anew.
_RESTARTS = 128 + signal.SIGTERM


class Contact:
    """Open connections of one process to others, each with a `Contact` at its other end."""

    def __init__(self, count: int, others: Mapping[int, socket.socket]):
        """Begins to watch.

        Args:
          count: Number of processes.
          others: Number of a process -> connection to it. Process 0 has one to each of the others,
            which have one to process 0.
        """
        self._count = count
        self._others = others
        self._status: int | None = None
        self._leaving = threading.Lock()
        for connection in others.values():
            connection.settimeout(None)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _QUESTIONS.items():
                if hasattr(socket, name):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Tells the others how the block has ended.

        While it runs, the process ends with status 143 if another one is gone without a word. If
        another one has ended with an error, this one has ten seconds to do the same by itself, and
        then ends with the status of the other.
        """
        status = 1
        try:
            yield
            status = 0
        except UserError:
            status = 2
            raise
        except KeyboardInterrupt as stopped:
            status = 128 + getattr(stopped, "number", signal.SIGINT)
            raise
        except Exception:
            # Collectives fail as soon as a process is gone. Who watches ends this one in a moment.
            time.sleep(_LAST_WORDS)
            raise
        finally:
            self._status = status
            for connection in self._others.values():
                say(connection, f"ended {status}")

    def _watch(self) -> None:
        ended = set()
        with selectors.DefaultSelector() as selector:
            for number, connection in self._others.items():
                selector.register(connection, selectors.EVENT_READ, number)
            while selector.get_map():
                for key, _ in selector.select():
                    word, _, value = heard(self._others[key.data]).partition(" ")
                    # A line that is torn was the last one.
                    number = int(value) if value.isdecimal() else None
                    if word == "ended" and number is not None:
                        ended.add(key.data)
                        if number:
                            self._follow(key.data, number)
                    elif word == "gone" and number is not None:
                        self._give_up(number)
                    else:
                        selector.unregister(key.fileobj)
                        if key.data not in ended:
                            self._give_up(key.data)

    def _follow(self, number: int, status: int) -> None:
        """Ends this process some time after another one, unless it does so by itself."""
        line = f"{self._name(number)} has ended with status {status} and says why: so does this one"
        timer = threading.Timer(_GRACE, self._leave, (status, line))
        timer.daemon = True
        timer.start()

    def _give_up(self, number: int) -> None:
        """Ends this process at once, since another one is gone without a word."""
        for other, connection in self._others.items():
            if other != number:
                say(connection, f"gone {number}")
        line = f"{self._name(number)} is gone: the same command resumes after the last checkpoint"
        self._leave(_RESTARTS, line)

    def _leave(self, status: int, line: str) -> None:
        self._leaving.acquire()  # Only one thread says it.
        if self._status is not None:
            # All is done, and only JAX still waits for the other one.
            time.sleep(_LAST_WORDS)
            os._exit(self._status)
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            # A progress bar has left the cursor in its line.
            os.write(2, ("\n" * os.isatty(2) + f"{line}\n").encode())
        os._exit(status)

    def _name(self, number: int) -> str:
        return f"process {number} of {self._count}"
