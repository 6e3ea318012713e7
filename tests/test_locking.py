"""One process at a time."""

import signal
import subprocess
import sys
import textwrap

import pytest

from painting_jax.errors import UserError
from painting_jax.locking import alone
from tests import tiny

_HOLD = """
    import sys, time
    from painting_jax.locking import alone

    with alone(sys.argv[1], "busy"):
        print("held", flush=True)
        time.sleep(600)
"""


def test_another_process_is_kept_out_until_the_first_is_dead(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(_HOLD), str(tmp_path / "run")]
    with subprocess.Popen(
        command, env=tiny.environment(), stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="busy"), alone(tmp_path / "run", "busy"):
            pass
        holder.send_signal(signal.SIGKILL)
    with alone(tmp_path / "run", "busy"):
        assert list(tmp_path.iterdir()) == []
