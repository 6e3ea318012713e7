"""Plans of published models on TPU slices: makes the tables of docs/scale.md (`make plan-check`).

  python -m benchmarks.plans [--only=v5e] [--output=FOLDER]

Each plan is compiled by a program of its own, in 3 to 6 minutes on two cores. Finished plans are
kept as JSON in the output folder and not made again.
"""

import json
import pathlib
import subprocess
import sys
from typing import NamedTuple

from absl import app, flags

_ONLY = flags.DEFINE_string("only", "", "Plans whose name contains this.")
_OUTPUT = flags.DEFINE_string("output", "plans", "Folder for the finished plans.")

_VIDEO = ("--config.data.frames=81", "--config.data.height=480", "--config.data.width=832")


class Case(NamedTuple):
    """A plan to make."""

    name: str
    config: str
    topology: str
    settings: tuple[str, ...]


def _case(name: str, config: str, topology: str, **settings) -> Case:
    chosen = {"mesh.data": 1} | {key.replace("__", "."): v for key, v in settings.items()}
    given = tuple(f"--config.{key}={value}" for key, value in chosen.items())
    return Case(f"{name} {topology}", config, topology, (*_VIDEO, *given))


_I2V, _5B, _1B = (
    f"configs/{name}.py" for name in ("wan21_i2v_14b", "wan22_ti2v_5b", "wan21_t2v_1_3b")
)
_KEPT = {"model__remat": "attention"}
_SPREAD = {"mesh__sequence": 8, **_KEPT}
_LEAN = {"optimizer__ema": False, "optimizer__momentum_dtype": "bfloat16"}

CASES = (
    _case("14B LoRA", f"{_I2V}:lora", "v5p:4x4x4", mesh__fsdp=64, data__batch_size=64, **_KEPT),
    _case("14B full", _I2V, "v5p:4x4x4", mesh__fsdp=64, data__batch_size=64, **_KEPT),
    _case("14B LoRA", f"{_I2V}:lora", "v5e:4x4", mesh__fsdp=2, data__batch_size=2, **_SPREAD),
    _case("14B LoRA", f"{_I2V}:lora", "v5e:8x8", mesh__fsdp=8, data__batch_size=8, **_SPREAD),
    _case("14B full", _I2V, "v5e:8x8", mesh__fsdp=8, data__batch_size=8, **_SPREAD, **_LEAN),
    _case("14B LoRA", f"{_I2V}:lora", "v5e:16x16", mesh__fsdp=32, data__batch_size=32, **_SPREAD),
    _case("14B full", _I2V, "v6e:16x16", mesh__fsdp=32, data__batch_size=32, **_SPREAD),
    _case("5B LoRA", f"{_5B}:lora", "v5e:2x2", mesh__sequence=4, **_KEPT),
    _case("1.3B full", _1B, "v5e:2x2", mesh__fsdp=1, mesh__sequence=4, **_KEPT),
    _case("1.3B full", _1B, "v6e:2x2", mesh__fsdp=4, data__batch_size=4, **_KEPT),
    _case("14B LoRA", f"{_I2V}:lora", "v6e:4x4", mesh__fsdp=4, mesh__sequence=4,
          data__batch_size=4, **_KEPT),
    _case("14B LoRA", f"{_I2V}:lora", "v5p:2x2x1", mesh__fsdp=4, data__batch_size=4, **_KEPT),
)  # fmt: skip

# What MaxDiffusion publishes for four chips of v5p: text to video at 720p, all parameters trained.
CALIBRATION = Case(
    "calibration v5p:2x2x1",
    _I2V,
    "v5p:2x2x1",
    (
        "--config.model.image_dim=0", "--config.model.in_channels=16", "--config.mesh.data=1",
        "--config.mesh.sequence=4", "--config.optimizer.ema=False", "--config.data.height=720",
        "--config.data.width=1280",
    ),
)  # fmt: skip


def main(_) -> None:
    """Makes the plans that are missing and prints all of them as a table."""
    folder = pathlib.Path(_OUTPUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    cases = [case for case in (*CASES, CALIBRATION) if _ONLY.value in case.name]
    print(_HEAD)
    for case in cases:
        print(_row(case.name, _made(case, folder)), flush=True)


def _made(case: Case, folder: pathlib.Path) -> dict:
    file = folder / f"{case.name.replace(' ', '_').replace(':', '_')}.json"
    if not file.exists():
        command = [
            sys.executable, "-m", "painting_jax.plan", f"--config={case.config}",
            f"--topology={case.topology}", "--json", *case.settings,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{case.name}: {done.stderr.strip()}")
        file.write_text(done.stdout)
    return json.loads(file.read_text())


_HEAD = (
    "| plan | mesh | memory a chip | FLOPs a chip | exchanged | matrix units | memory | compiler | "
    "kernels | interconnect | step, predicted (ideal) | MFU | bound by |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
)


def _row(name: str, made: dict) -> str:
    mesh = " x ".join(f"{axis} {size}" for axis, size in made["mesh"].items() if size > 1)
    memory = f"{made['memory'] / 1e9:.1f}" if made["memory"] else "?"
    start = f"| {name} | {mesh} | {memory} of {made['memory_there'] / 1e9:.1f} GB"
    if "seconds" not in made:
        return f"{start} | does not fit |" + " |" * 9
    seconds = made["seconds"]
    exchanged, calls = (
        sum(exchange[what] for exchange in made["exchanges"]) for what in ("bytes", "calls")
    )
    flops = made["product_flops"] + made["kernel_flops"]
    return (
        f"{start} | {flops / 1e12:,.0f} TFLOP | {exchanged / 1e9:.0f} GB in {calls:,.0f} | "
        f"{seconds['matrix']:.1f} s | {seconds['memory']:.1f} s | {seconds['cycles']:.1f} s | "
        f"{seconds['kernels']:.1f} s | {sum(seconds['interconnect'].values()):.1f} s | "
        f"{seconds['predicted']:.1f} s ({seconds['ideal']:.1f} s) | {100 * made['mfu']:.0f} % | "
        f"{made['bound_by']} |"
    )


if __name__ == "__main__":
    app.run(main)
