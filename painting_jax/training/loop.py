"""The training loop: batches to steps to checkpoints; metrics and contact sheets on the way."""

import contextlib
import functools
from collections.abc import Callable

import jax
import numpy as np
import tqdm
from clu import parameter_overview
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax.data import pictures, pipeline
from painting_jax.data.contact_sheet import contact_sheet
from painting_jax.errors import UserError
from painting_jax.files import written_beside
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import batch_sharding, replicated
from painting_jax.tasks.base_model import begin_base, check_base
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task
from painting_jax.training import interruption, throughput
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.config_check import check
from painting_jax.training.examples_log import ExamplesLog
from painting_jax.training.initialisation import check_init_from, start_state
from painting_jax.training.step import TrainMetrics, make_train_step
from painting_jax.training.workdir import claimed
from painting_jax.training.writers import make_writer, periodic_actions

# Of a contact sheet: frames of a process, and pixels along a frame's longer side.
_COLUMNS, _SIDE = 17, 256


def train(config: ConfigDict, workdir: epath.PathLike) -> None:
    """Trains a model, or goes on with it, up to `config.steps` steps.

    Raises:
      UserError: for data, a workdir or a mesh that do not fit, and for a loss that is no number.
    """
    folder = epath.Path(workdir)
    mesh = make_mesh(config.mesh)
    check(config, mesh)
    source = pipeline.Source(config.data.data_dir, "train", config.data.dataset)
    if config.pretrained.family:
        check_base(config)
    check_init_from(config)
    with claimed(folder, config, source.path) as begun:
        _train(config, folder, mesh, source, begun)


def _train(
    config: ConfigDict,
    folder: epath.Path,
    mesh: Mesh,
    source: pipeline.Source,
    begun: Callable[[], None],
) -> None:
    lead = jax.process_index() == 0
    if config.pretrained.family:
        begin_base(config, folder, source)
    task = make_task(config, folder)
    shown = _held_out(config) or source
    words = task.words(folder, (source, shown), mesh)
    examples = pipeline.Examples(
        frames=task.frames,
        height=config.data.height,
        width=config.data.width,
        words=words,
        variant_probability=config.data.variant_probability,
        caption_probability=config.data.caption_probability,
    )
    checkpoints = Checkpoints(folder, keep=config.checkpoint.keep)
    # However training ends, what is being written is finished.
    with jax.set_mesh(mesh), contextlib.ExitStack() as at_end:
        at_end.callback(checkpoints.close)
        heed_interruption = at_end.enter_context(interruption.remembered())
        state, start, origin = start_state(task, checkpoints, mesh)
        frozen = task.load_frozen(mesh, words)
        if lead:
            count = parameter_overview.count_parameters(state.params)
            print(f"{origin}; {count:,} parameters; {len(source)} processes; {_devices(mesh)}")
        batches = pipeline.iterate(
            pipeline.training_batches(
                source,
                examples,
                batch_size=config.data.batch_size,
                seed=config.seed,
                process_index=jax.process_index(),
                process_count=jax.process_count(),
            ),
            start,
        )
        step_fn = jax.jit(make_train_step(task), donate_argnums=(0, 1))
        running = jax.device_put(TrainMetrics.empty(), replicated(mesh))
        log = at_end.enter_context(
            contextlib.closing(ExamplesLog(folder / _examples_file(), start))
        )
        writer = at_end.enter_context(contextlib.closing(make_writer(folder, enabled=lead)))
        table = parameter_overview.get_parameter_overview(state.params, include_stats=False)
        writer.write_texts(start, {"parameters": f"```\n{table}\n```"})
        meter = throughput.Meter(task, mesh, start)
        sample = periodic_actions.PeriodicCallback(
            every_steps=config.log.samples_every,
            on_steps=[config.steps],
            callback_fn=_sampler(task, frozen, shown, examples, folder, writer, mesh),
        )
        progress = at_end.enter_context(
            tqdm.tqdm(
                total=config.steps, initial=start, unit="step", disable=None if lead else True
            )
        )
        finite_before = None
        for step in range(start, config.steps):
            heed_interruption()
            batch = next(batches)
            log.write(step, batch.pop("index_B"))
            on_device = jax.tree.map(
                lambda array: jax.make_array_from_process_local_data(batch_sharding(mesh), array),
                batch,
            )
            with jax.transfer_guard("disallow"):
                state, running, finite = step_fn(state, running, on_device, frozen)
            begun()
            progress.update()
            # The step before is looked at once this one is on its way, so that no device waits.
            _check_finite(finite_before, step, checkpoints)
            finite_before = finite
            done = step + 1
            if done % config.log.every == 0 or done == config.steps:
                # What waits for the numbers anyway looks at its own step.
                _check_finite(finite, done, checkpoints)
                values = {**_computed(running), **meter.since_last(done)}
                writer.write_scalars(done, values)
                running = jax.device_put(TrainMetrics.empty(), replicated(mesh))
                progress.set_postfix(loss=f"{values['loss']:.3f}")
            if done % config.checkpoint.every == 0 or done == config.steps:
                _check_finite(finite, done, checkpoints)
                writer.flush()
                # First, as a run that is found to be finished does nothing any more.
                task.export(state.ema_params, folder, final=done == config.steps)
                checkpoints.save(done, state, done)
            sample(done, params=state.ema_params)
    if lead:
        print(f"trained {config.steps} steps: {folder}")


def _held_out(config: ConfigDict) -> pipeline.Source | None:
    """Processes to paint while training; None if there are too few sources for such a split."""
    try:
        return pipeline.Source(config.data.data_dir, "validation", config.data.dataset)
    except UserError:
        return None


def _sampler(
    task: Task,
    frozen: dict,
    shown: pipeline.Source,
    examples: pipeline.Examples,
    folder: epath.Path,
    writer,
    mesh,
):
    """A callback that paints some processes and leaves a contact sheet of them in `sheets`."""
    config = task.config
    batch = pipeline.spread(shown, examples, config.log.samples)
    side = max(config.data.height, config.data.width)
    progress_T = np.linspace(0, 1, task.frames)
    shown_K = np.linspace(0, task.frames - 1, min(task.frames, _COLUMNS)).round().astype(int)
    sampling = config.sampling
    painted = jax.jit(
        functools.partial(task.paint, steps=sampling.steps, guidance=sampling.guidance),
        # Whole on every device: a process can read only what its own devices hold.
        out_shardings=replicated(mesh),
    )

    def sample(step: int, t: float | None, params: dict) -> None:
        del t
        # Every process paints, for the parameters are spread over all; one of them writes.
        frames_BTHWC = np.asarray(
            painted(params, frozen, batch, np.full(config.log.samples, config.seed))
        )
        if jax.process_index():
            return
        rows = [
            row for pair in zip(batch["frames_BTHWC"], frames_BTHWC, strict=True) for row in pair
        ]
        sheet_HWC = contact_sheet(
            np.concatenate([row[shown_K] for row in rows]),
            np.tile(progress_T[shown_K], len(rows)),
            columns=len(shown_K),
            scale=_SIDE / side if side > _SIDE else None,
            title=f"Step {step}: recorded above, painted below",
        )
        with written_beside(folder / "sheets" / f"{step:07d}.png") as path:
            path.write_bytes(pictures.encode(sheet_HWC, "png"))
        writer.write_images(step, {"samples": sheet_HWC})

    return sample


def _examples_file() -> str:
    return f"examples-{jax.process_index()}.jsonl" if jax.process_count() > 1 else "examples.jsonl"


def _computed(running: TrainMetrics) -> dict[str, float]:
    values = {name: float(value) for name, value in jax.device_get(running.compute()).items()}
    # A noise range that no sample fell into has no loss.
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _check_finite(finite: jax.Array | None, step: int, checkpoints: Checkpoints) -> None:
    if finite is None or finite:
        return
    last = checkpoints.latest()
    good = "there is no checkpoint" if last is None else f"the last good checkpoint is {last}"
    raise UserError(
        f"loss or gradient of step {step} is no number (NaN): {good} in {checkpoints.folder}; "
        "lower config.optimizer.learning_rate and start from it with config.init_from"
    )


def _devices(mesh) -> str:
    kind = mesh.devices.flat[0].device_kind
    axes = ", ".join(f"{axis}={size}" for axis, size in mesh.shape.items() if size > 1)
    return f"{mesh.size} x {kind}" + (f" ({axes})" if axes else "")
