"""What all tests share: eight fake devices, a tiny data set and a tiny experiment."""

import os
import pathlib
import signal
from collections.abc import Callable, Iterator

import threadpoolctl

from tests import compiler, garbage

# A shell's job in the background is deaf to Ctrl-C, and so are the programs that it starts; tests
# press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

garbage.look_less()

# Before JAX starts, or it has one device.
os.environ["JAX_PLATFORMS"] = "cpu"
# Threads of small products of matrices wait for each other in loops, most of the time.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
threadpoolctl.threadpool_limits(1, "blas")  # NumPy has been imported by plugins.
os.environ["XLA_FLAGS"] = compiler.flags(devices=8)
# The many processes started here share what was compiled.
_CACHE = pathlib.Path(__file__).parent.parent / ".pytest_cache" / "xla"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
# Where in Python an operation comes from is a tenth of the time that lowering it takes.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")

import jaxtyping
import ml_collections
import pytest

from tests import shape_check

# Before anything of the package is imported. The hook's decorators look this name up.
jaxtyping.jaxtyped = shape_check.where_arrays_are_annotated(jaxtyping.jaxtyped)
jaxtyping.install_import_hook(
    [f"painting_jax.{folder}" for folder in ("models", "diffusion", "metrics", "sharding")],
    "tests.shape_check.typechecker",
)

from configs import demo
from tests import bucket as emulator
from tests.synthetic import build_painted, write_photos

# Folders and modules whose tests compile models or start several programs. `make check` leaves them
# out, except those in QUICK.
SLOW = (
    "tests/caching/",
    "tests/checkpoints/",
    "tests/data/curation/test_prompted.py",
    "tests/diffusion/test_cross_media.py",
    "tests/diffusion/test_reverse_painting.py",
    "tests/diffusion/test_step_cache.py",
    "tests/evaluation/",
    "tests/generation/",
    "tests/launch/",
    "tests/metrics/",
    "tests/models/",
    "tests/sharding/",
    "tests/studio/test_access.py",
    "tests/studio/test_canvas.py",
    "tests/studio/test_finetuned.py",
    "tests/studio/test_offers.py",
    "tests/studio/test_painting.py",
    "tests/tasks/",
    "tests/test_bad_input.py",
    "tests/test_compiled_programs.py",
    "tests/test_convert.py",
    "tests/test_earlier_runs.py",
    "tests/test_evaluate.py",
    "tests/test_generate.py",
    "tests/test_generate_published.py",
    "tests/test_prepare.py",
    "tests/test_readme.py",
    "tests/test_registry_of_media.py",
    "tests/test_wheel.py",
    "tests/text/test_embeddings.py",
    "tests/training/",
)
QUICK = (
    "tests/checkpoints/test_adapters.py",
    "tests/checkpoints/test_hub.py",
    "tests/checkpoints/test_safetensors_file.py",
    "tests/checkpoints/test_source.py",
    "tests/evaluation/test_methods.py",
    "tests/evaluation/test_videos.py",
    "tests/generation/test_magnitudes_file.py",
    "tests/generation/test_output_folders.py",
    "tests/generation/test_outputs.py",
    "tests/generation/test_resolution.py",
    "tests/metrics/test_bootstrap.py",
    "tests/metrics/test_fidelity.py",
    "tests/models/test_published_config.py",
    "tests/models/test_tensor_names.py",
    "tests/training/test_data_checks.py",
    "tests/training/test_throughput.py",
)

# What takes longest, alone or together.
LONGEST = (
    "tests/training/",
    "tests/launch/test_evaluate_notebook.py",
    "tests/launch/test_xm_train.py",
    "tests/test_readme.py",
    "tests/test_wheel.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks slow tests and puts the longest first, so that both workers end together."""
    for item in items:
        if item.nodeid.startswith(SLOW) and not item.nodeid.startswith(QUICK):
            item.add_marker("slow")
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Leaves out of the search for garbage what all modules have made."""
    garbage.look_less()


@pytest.fixture(scope="session")
def bucket() -> Iterator[emulator.Bucket]:
    """A bucket, gs://bucket: clients keep its address, so that there is one for all tests."""
    with emulator.emulated() as bucket:
        yield bucket


@pytest.fixture(scope="session")
def painted_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A data set of four photos: two train (8 processes), one validates, one tests."""
    root = tmp_path_factory.mktemp("painted")
    write_photos(root / "photos", 4)
    build_painted(root / "data", root / "photos")
    return root / "data"


@pytest.fixture(scope="session")
def tiny_config(painted_dir: pathlib.Path) -> Callable[[], ml_collections.ConfigDict]:
    """Makes the demo's config, shrunk to what compiles in seconds."""

    def make():
        config = demo.get_config()
        config.update_from_flattened_dict(TINY)
        config.data.data_dir = str(painted_dir)
        return config

    return make


@pytest.fixture
def tiny(tiny_config) -> ml_collections.ConfigDict:
    """Such a config, for one test to change."""
    return tiny_config()


TINY = {
    "steps": 12,
    "optimizer.ema_decay": 0.99,
    "data.batch_size": 8,
    "data.frames": 3,
    "data.height": 32,
    "data.width": 32,
    "data.text_length": 8,
    "model.dim": 32,
    "model.layers": 2,
    "model.heads": 2,
    "model.ffn_dim": 64,
    "model.vocabulary": 64,
    "model.text_dim": 16,
    "model.pixel_layers": 2,
    "optimizer.warmup_steps": 2,
    "sampling.steps": 2,
    "checkpoint.every": 3,
    "log.every": 4,
    "log.samples": 2,
    "log.samples_every": 100,
}
