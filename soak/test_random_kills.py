"""A run that is killed repeatedly at random moments ends in the same state as one that is not."""

import random
import signal
import subprocess
import time

import numpy as np
import pytest

from tests.conftest import painted_dir  # noqa: F401
from tests.training.test_resume import (
    ENVIRONMENT,
    command,
    final_state,
    run,
    seen_examples,
    uninterrupted,  # noqa: F401
)


@pytest.mark.parametrize("seed", range(5))
def test_any_moments_of_death_leave_no_trace(seed, uninterrupted, painted_dir, tmp_path):  # noqa: F811
    rng = random.Random(seed)
    arguments = command(painted_dir, tmp_path / "run")
    for _ in range(6):
        process = subprocess.Popen(
            arguments, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # A moment between the imports and the last save.
        time.sleep(rng.uniform(1, 40))
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(arguments)
    assert seen_examples(tmp_path / "run") == seen_examples(uninterrupted)
    expected, actual = final_state(uninterrupted), final_state(tmp_path / "run")
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)
