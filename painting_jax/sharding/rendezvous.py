"""Processes meet before JAX joins them.

JAX aborts a process with a stack trace if the others do not come, if two have the same number, or
if the port is taken. Here these are one-line errors, and Ctrl-C is heard while waiting.
"""

import contextlib
import socket
import time

from painting_jax.errors import UserError
from painting_jax.sharding.lines import heard, say

_GO = "go"
_RETRY = 0.2  # seconds
_SLOWEST = 5.0  # seconds that a greeting may take once connected: other programs say nothing


def meet(address: str, count: int, index: int, wait: float) -> dict[int, socket.socket]:
    """Waits until all processes have come.

    Args:
      address: HOST:PORT of process 0. When the function returns, another program of this process
        may listen at the port, as JAX does.
      count: Number of processes.
      index: Number of this one, from 0.
      wait: Seconds until those that have not come are given up.

    Returns:
      Number of a process -> connection to it: of process 0 to each of the others, of these to
      process 0.

    Raises:
      UserError: If the port is taken or the address unknown, two processes have the same number or
        different counts, or some do not come.
    """
    host, _, port = address.rpartition(":")
    until = time.monotonic() + wait
    if index == 0:
        return _receive(int(port), count, until, wait)
    return {0: _visit(host, int(port), f"{count} {index}", until, wait)}


def _receive(port: int, count: int, until: float, wait: float) -> dict[int, socket.socket]:
    """The part of process 0."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise UserError(
            f"port {port} of this computer cannot be opened ({error.strerror}): all processes take "
            "another in --coordinator_address or JAX_COORDINATOR_PORT"
        ) from error
    with server, contextlib.ExitStack() as at_end:
        came: dict[int, socket.socket] = {}

        def refuse(reason: str) -> None:
            for visitor in came.values():
                say(visitor, reason)
            raise UserError(reason)

        while len(came) < count - 1:
            server.settimeout(max(0.01, until - time.monotonic()))
            try:
                visitor, _ = server.accept()
            except TimeoutError:
                missing = ", ".join(str(n) for n in range(1, count) if n not in came)
                refuse(f"of {count} processes {missing} did not come within {wait:g} s")
            at_end.enter_context(visitor)
            visitor.settimeout(_SLOWEST)
            words = heard(visitor).split()
            if len(words) != 2 or not all(word.isdecimal() for word in words):
                continue
            their_count, number = map(int, words)
            if their_count != count:
                reason = f"process {number} expects {their_count} processes, process 0 {count}"
            elif number in came:
                reason = f"two processes have the number {number}: each takes its own, from 0"
            else:
                came[number] = visitor
                continue
            say(visitor, reason)
            refuse(reason)
        for visitor in came.values():
            say(visitor, _GO)
        at_end.pop_all()
        return came


def _visit(host: str, port: int, greeting: str, until: float, wait: float) -> socket.socket:
    """The part of the others."""
    while True:
        left = until - time.monotonic()
        with contextlib.ExitStack() as at_end:
            try:
                connection = at_end.enter_context(
                    socket.create_connection((host, port), timeout=max(0.01, left))
                )
            except OSError as error:
                answer, reason = "", error.strerror or str(error)
            else:
                # Process 0, once reached, says its reason when its own time is up.
                connection.settimeout(max(0.0, until - time.monotonic()) + _SLOWEST)
                say(connection, greeting)
                answer, reason = heard(connection), "it gives no answer"
            if answer == _GO:
                at_end.pop_all()
                return connection
        if answer:
            raise UserError(answer)
        # Process 0 may not have started yet, nor its name be known.
        if time.monotonic() + _RETRY > until:
            raise UserError(
                f"process 0 cannot be reached at {host}:{port} within {wait:g} s ({reason}): all "
                "processes are started with the same address, and one of them has the number 0"
            )
        time.sleep(_RETRY)
