"""Says whether a training fits a TPU slice, and how fast it would be, before you pay for it.

  python -m painting_jax.plan --config=configs/wan21_i2v_14b.py:lora --topology=v5p:4x4x4
  python -m painting_jax.plan --config=configs/wan22_ti2v_5b.py:lora --topology=v5e:4x4 --search
  python -m painting_jax.plan --config=configs/wan21_t2v_1_3b.py --topology=gpu:8 --memory=80 \\
    --peak=989

The TPU's own compiler compiles the real training step for the slice, from shapes alone. It needs no
accelerator and no weights, but the package libtpu. It takes minutes for a model of 14 billion
parameters. The latents are assumed to be cached; encoding is not part of the step.

The predicted time of a step adds up the compiler's estimate of its cycles, the attention kernels at
the share of the peak that they are known to reach, and the exchanges between devices. The ideal
time is the longest of all parts, each at its peak. Neither was measured on the slice.

If an experiment leaves its mesh open, plan chooses the most promising mesh, batch size and policy
of rematerialisation, and prints them as flags for train. --search ranks them by formulas and
compiles the best ones. For --topology=gpu:COUNT there is no compiler: formulas alone give the plan,
and it says so.
"""

from painting_jax import interruption

if __name__ == "__main__":
    # Before the imports that take seconds.
    interruption.end_at_once()

import json
import os
import re
from collections.abc import Sequence

# The host computes nothing here, and must not wait for accelerators of its own.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from absl import flags
from ml_collections import ConfigDict, config_flags

from painting_jax import cli
from painting_jax import config as config_lib
from painting_jax.errors import UserError
from painting_jax.planning import chips, report
from painting_jax.planning.candidates import Candidate, candidates
from painting_jax.planning.plan import MODES, is_default_mesh, plan
from painting_jax.planning.topologies import devices_of

_SHOWN = 10  # Candidates.

_CONFIG = config_flags.DEFINE_config_file("config", None, "File of the experiment.")
_TOPOLOGY = flags.DEFINE_string(
    "topology",
    None,
    "TPU slice, as generation and chips along each dimension: v5e:4x4, v5p:4x4x4, v6e:16x16, "
    "tpu7x:2x2x1; or gpu:COUNT with --memory and --peak.",
)
_MODE = flags.DEFINE_enum(
    "mode", "train", MODES, "What is planned: a training step, or the sampling of a video."
)
_SEARCH = flags.DEFINE_bool("search", False, "Rank meshes and policies of rematerialisation.")
_COMPILE = flags.DEFINE_integer(
    "compile",
    1,
    "Number of the best candidates of --search that are compiled.",
    lower_bound=0,
    upper_bound=100,
)
_JSON = flags.DEFINE_bool("json", False, "Print the plan as JSON.")
_MEMORY = flags.DEFINE_float("memory", None, "Memory of a GPU in GB.", lower_bound=1)
_PEAK = flags.DEFINE_float(
    "peak", None, "Peak rate of a GPU in TFLOP/s, dense bfloat16.", lower_bound=1
)
_BANDWIDTH = flags.DEFINE_float(
    "bandwidth", 3350, "Memory bandwidth of a GPU in GB/s.", lower_bound=1
)
_INTERCONNECT = flags.DEFINE_float(
    "interconnect", 450, "Bandwidth from a GPU to the others in GB/s.", lower_bound=1
)


def main() -> None:
    """Prints the plan that the flags ask for."""
    if not _CONFIG.value:
        raise UserError(
            "--config is missing: the experiment, such as configs/wan21_i2v_14b.py:lora"
        )
    if not _TOPOLOGY.value:
        raise UserError("--topology is missing: the slice, such as v5p:4x4x4 or v5e:16x16")
    config = cli.experiment(_CONFIG)
    config_lib.check_ranges(config)
    if _TOPOLOGY.value.startswith("gpu"):
        _print_candidates(candidates(config, _gpus(_TOPOLOGY.value), _gpu()))
        return
    devices = devices_of(_TOPOLOGY.value)
    chip = chips.chip_of(devices[0].device_kind)
    if _SEARCH.value:
        ranked = candidates(config, len(devices), chip)
        _print_candidates(ranked)
        best = ranked[: _COMPILE.value]
    elif is_default_mesh(config) and len(devices) > 1:
        best = candidates(config, len(devices), chip)[:1]
    else:
        best = []
        _print(config, "")
    for one in best:
        _print(one.config, one.flags)


def _print(config: ConfigDict, settings: str) -> None:
    made = plan(config, _TOPOLOGY.value, _MODE.value, settings)
    print(json.dumps(report.as_json(made)) if _JSON.value else report.as_text(made), flush=True)


def _print_candidates(ranked: Sequence[Candidate]) -> None:
    ranked = ranked[:_SHOWN]
    if _JSON.value:
        rows = [
            {
                "estimate": True,
                "settings": one.flags,
                "memory": one.estimate.memory,
                "seconds": one.estimate.seconds,
                "samples_per_s": one.rate,
                "fits": one.fits,
            }
            for one in ranked
        ]
        print(json.dumps(rows), flush=True)
        return
    print("estimates by formulas, not compiled:")
    for one in ranked:
        verdict = "" if one.fits else "  does NOT fit"
        print(
            f"  {one.estimate.memory / 1e9:6.1f} GB  {one.estimate.seconds:8.2f} s a step  "
            f"{one.rate:8.3f} samples/s  {one.flags}{verdict}"
        )
    print(flush=True)


def _gpus(topology: str) -> int:
    if not (found := re.fullmatch(r"gpu:([1-9]\d{0,4})", topology)):
        raise UserError(f"--topology={topology}: it must be gpu:COUNT, such as gpu:8")
    return int(found[1])


def _gpu() -> chips.Chip:
    if _MEMORY.value is None or _PEAK.value is None:
        raise UserError(
            "--topology=gpu needs --memory and --peak, such as --memory=80 --peak=989 for an H100"
        )
    return chips.Chip(
        1e9 * _MEMORY.value, 1e12 * _PEAK.value, 1e9 * _BANDWIDTH.value, 1e9 * _INTERCONNECT.value
    )


if __name__ == "__main__":
    cli.run(main)
