"""Measures training steps and sampling of Wan on one GPU (`make bench-gpu`), and prints a table.

  python -m benchmarks.gpu [--minutes=12] [--only=LoRA] [--output=FOLDER] [--tiny]

81 frames of 480x832 with cached latents, random weights, batches of one, bfloat16. Each case runs
in a program of its own, ours and then diffusers with PEFT and torch.compile. Finished ones are kept
as JSON in the output folder and not measured again. Cases that the minutes do not suffice for are
named. --tiny tries everything out with small models, on any machine.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from absl import flags

from benchmarks.gpu.cases import CASES, Case
from benchmarks.gpu.result import Result
from painting_jax import cli
from painting_jax.errors import UserError
from painting_jax.files import written_beside
from painting_jax.training.throughput import peak_flops

_MINUTES = flags.DEFINE_float("minutes", 12, "Minutes that all cases may take.", lower_bound=0.1)
_ONLY = flags.DEFINE_string("only", "", "Cases whose name contains this.")
_OUTPUT = flags.DEFINE_string("output", "bench-gpu", "Folder for finished cases.")
_RUNS = flags.DEFINE_integer("runs", 3, "Runs of each, after one that compiles.", lower_bound=1)
_TINY = flags.DEFINE_bool("tiny", False, "Small models.")
_CASE = flags.DEFINE_string("case", "", "Measure this case alone, and print JSON.")
_SIDE = flags.DEFINE_enum("side", "ours", ["ours", "diffusers"], "With --case: who is measured.")

_MEMORY = "0.94"  # Share of the GPU's memory that JAX takes; three quarters are its default.
_HEAD = (
    "| case | | median | least - most | peak memory | share of the peak rate | first step | "
    "of diffusers' time |\n|---|---|--:|--:|--:|--:|--:|--:|"
)


def main() -> None:
    """Measures --case, or all cases in programs of their own."""
    if _CASE.value:
        print(json.dumps(_measured()._asdict()))
        return
    folder = pathlib.Path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * _MINUTES.value
    for case in CASES:
        if _ONLY.value in case.name:
            for side in case.sides:
                _run(case, side, folder, end)
    print(_HEAD)
    for case in CASES:
        for side in case.sides:
            if (result := _kept(case, side, folder)) is not None:
                print(_row(case, side, result, _kept(case, "diffusers", folder)))


def _measured() -> Result:
    by_name = {case.name: case for case in CASES}
    if _CASE.value not in by_name:
        raise UserError(f"--case={_CASE.value}: it must be one of {', '.join(by_name)}")
    if _SIDE.value == "ours":
        from benchmarks.gpu.ours import measure  # noqa: PLC0415
    else:
        # Holds the memory of the GPU, as ours would: never both in one program.
        from benchmarks.gpu.theirs import measure  # noqa: PLC0415
    return measure(by_name[_CASE.value], _RUNS.value, _TINY.value)


def _run(case: Case, side: str, folder: pathlib.Path, end: float) -> None:
    left = end - time.monotonic()
    if _kept(case, side, folder) is not None:
        return
    if left <= 0:
        print(f"{case.name}, {side}: not measured, no time left", file=sys.stderr, flush=True)
        return
    print(f"{case.name}, {side} ...", file=sys.stderr, flush=True)
    command = [
        sys.executable, "-m", "benchmarks.gpu", f"--case={case.name}", f"--side={side}",
        f"--runs={_RUNS.value}", f"--tiny={_TINY.value}",
    ]  # fmt: skip
    environment = {"XLA_PYTHON_CLIENT_MEM_FRACTION": _MEMORY} | os.environ
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=left,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        print(f"{case.name}, {side}: not measured, no time left", file=sys.stderr, flush=True)
        return
    if done.returncode:
        print(f"{case.name}, {side}: failed, see above", file=sys.stderr, flush=True)
        return
    with written_beside(_file(case, side, folder)) as beside:
        beside.write_text(done.stdout.strip().splitlines()[-1])


def _file(case: Case, side: str, folder: pathlib.Path) -> pathlib.Path:
    tiny = "_tiny" if _TINY.value else ""
    return folder / f"{case.name.replace(' ', '_').replace(',', '')}_{side}{tiny}.json"


def _kept(case: Case, side: str, folder: pathlib.Path) -> Result | None:
    file = _file(case, side, folder)
    return Result(**json.loads(file.read_text())) if file.exists() else None


def _row(case: Case, side: str, result: Result, theirs: Result | None) -> str:
    median = statistics.median(result.seconds)
    memory = f"{result.peak_bytes / 1e9:.1f} GB" if result.peak_bytes else "?"
    peak = peak_flops(result.device)
    share = f"{100 * result.flops / median / peak:.0f} %" if peak and result.flops else ""
    ratio = ""
    if theirs is not None and side == "ours":
        ratio = f"{median / statistics.median(theirs.seconds):.2f}"
    return (
        f"| {case.name} | {side} ({result.version}, {result.device}) | {median:.3g} s | "
        f"{min(result.seconds):.3g} - {max(result.seconds):.3g} s | {memory} | {share} | "
        f"{result.first_seconds:.0f} s | {ratio} |"
    )


if __name__ == "__main__":
    cli.run(main)
