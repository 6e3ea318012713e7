"""The training loop: steps on batches, with checkpoints, metrics and contact sheets."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np
import tqdm
from clu import parameter_overview
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax import interruption, memory
from painting_jax.config_checks import check
from painting_jax.data import pipeline
from painting_jax.data.cached_latents import CachedExamples, CachedSource
from painting_jax.data.records import Records
from painting_jax.errors import UserError
from painting_jax.files import filled
from painting_jax.sharding.batches import global_batch, rows_of_process
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import replicated
from painting_jax.tasks import latents
from painting_jax.tasks.published import begin_base, check_base, is_finetuned
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task, make_model, shapes_of
from painting_jax.training import data_checks, memory_needs, preemption, throughput
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.examples_log import ExamplesLog
from painting_jax.training.initialisation import check_init_from, start_state
from painting_jax.training.optimizer import learning_rate
from painting_jax.training.step import TrainMetrics, jit_train_step
from painting_jax.training.validation import ContactSheets, HeldOutLoss, held_out
from painting_jax.training.workdir import as_run_began, claimed
from painting_jax.training.writers import Writer

_COMPILED = "compiled"  # Subfolder of the run for compiled programs: a second start takes seconds.
_PROFILE = "profile"  # Subfolder of the run for the profiler's trace.
_PROFILE_AFTER = 3  # Number of steps that are not profiled: the first one compiles.


def train(config: ConfigDict, workdir: epath.PathLike) -> None:
    """Trains a model, or resumes its training, up to `config.steps` steps.

    When Ctrl-C or SIGTERM comes, the step is finished and its state saved.

    Raises:
      UserError: If the data, the workdir or the mesh do not fit, or the loss is not finite.
      KeyboardInterrupt: If Ctrl-C or SIGTERM came.
    """
    folder = epath.Path(workdir)
    config = as_run_began(config, folder)
    _keep_compiled(folder)
    mesh = make_mesh(config.mesh)
    check(config, mesh)
    source = _source(config)
    validation = held_out(source)
    if is_finetuned(config):
        check_base(config)
    memory_needs.check(config, mesh)
    check_init_from(config)
    if not config.data.allow_upscaling:
        data_checks.refuse_small(source, validation, shapes_of(config, make_model(config)))
    with interruption.recorded() as stop:
        with claimed(folder, config, source.path) as begun:
            _train(config, folder, mesh, source, validation, begun, stop)
        if stop.came:
            preemption.leave_together()


def _source(config: ConfigDict) -> Records:
    """The training split of an experiment: of pictures, or of latents that were cached for it."""
    if config.data.cached_latents:
        return CachedSource(latents.find(config), "train")
    return pipeline.DataSource(config.data.data_dir, "train", config.data.dataset)


def _train(
    config: ConfigDict,
    folder: epath.Path,
    mesh: Mesh,
    source: Records,
    validation: Records | None,
    begun: Callable[[], None],
    stop: interruption.Stop,
) -> None:
    lead = jax.process_index() == 0
    if is_finetuned(config):
        begin_base(config, folder, source)
    task = make_task(config, folder)
    examples, load_frozen = _examples(task, folder, source, validation, mesh)
    checkpoints = Checkpoints(folder, keep=config.checkpoint.keep)
    # Pending writes are finished however training ends.
    with jax.set_mesh(mesh), contextlib.ExitStack() as at_end:
        at_end.callback(checkpoints.close)
        state, start, origin = start_state(task, checkpoints, mesh)
        frozen = load_frozen()
        if lead:
            count = parameter_overview.count_parameters(state.params)
            print(f"{origin}; {count:,} parameters; {len(source)} processes; {_devices(mesh)}")
            for line in data_checks.remarks(source, examples):
                print(line)
        rows = rows_of_process(mesh, config.data.batch_size)
        batches = pipeline.iterate(
            pipeline.training_batches(
                source,
                examples,
                batch_size=config.data.batch_size,
                seed=config.seed,
                rows=rows,
            ),
            start,
        )
        meter = throughput.Meter(task, mesh)
        running = jax.device_put(TrainMetrics.empty(), replicated(mesh))
        log = at_end.enter_context(contextlib.closing(ExamplesLog.of_process(folder, start)))
        writer = at_end.enter_context(contextlib.closing(Writer(folder if lead else None)))
        table = parameter_overview.get_parameter_overview(state.params, include_stats=False)
        writer.write_texts(start, {"parameters": f"```\n{table}\n```"})
        rate_of = learning_rate(config)
        sheets = ContactSheets(task, validation or source, examples, folder, mesh)
        listed = "\n".join(f"{n}. {row}" for n, row in enumerate(sheets.rows, start=1))
        writer.write_texts(start, {"samples": listed})
        held_out_loss = HeldOutLoss(task, validation, examples, mesh) if validation else None
        profiler = at_end.enter_context(_profiler(folder, start, config.profile_steps))
        progress = at_end.enter_context(
            tqdm.tqdm(
                total=config.steps, initial=start, unit="step", disable=None if lead else True
            )
        )

        def save(done: int) -> None:
            _check_finite(finite, done, checkpoints)
            writer.flush()
            log.sync()
            # Export comes before the last checkpoint, since a finished run is not resumed.
            last = done == config.steps
            export = functools.partial(task.export, state.sampled_params, folder, final=last)
            with meter.apart("checkpoints", state):
                checkpoints.save(done, state, done, export)

        def measure(done: int) -> None:
            with meter.apart("held_out_loss", state):
                loss = held_out_loss(state.sampled_params, frozen)
            writer.write_scalars(done, {"held_out_loss": loss})

        def show(done: int) -> None:
            with meter.apart("sheets", state):
                sheet_HWC = sheets.paint(done, state.sampled_params, frozen)
            if sheet_HWC is not None:
                writer.write_images(done, {"samples": sheet_HWC})

        def compiling(height: int, width: int) -> None:
            if lead and examples.shapes.buckets:
                progress.write(f"step {done}: compiling for frames of {height}x{width}")

        train_step = jit_train_step(task, state, running)
        train_step = meter.metered(train_step, examples.sides, compiling)
        finite = finite_before = None
        done = start
        # From here on there is something to lose: a signal waits for the end of its step.
        stop.at_once = False
        for step in range(start, config.steps):
            profiler(step)
            with meter.waiting_for_data():
                batch = next(batches)
            log.write(step, batch.pop("index_B"))
            on_device = global_batch(batch, rows, config.data.batch_size, mesh)
            with jax.transfer_guard("disallow"):
                state, running, finite = train_step(state, running, on_device, frozen)
            begun()
            progress.update()
            # The previous step is checked after this one is dispatched, so that no device waits.
            _check_finite(finite_before, step, checkpoints)
            finite_before = finite
            done = step + 1
            last = done == config.steps
            if last or done % config.log.every == 0:
                # Reading the metrics waits for this step anyway.
                _check_finite(finite, done, checkpoints)
                values = {**_computed(running), **meter.since_last(), **memory.in_use(mesh)}
                values["learning_rate"] = float(rate_of(step))
                writer.write_scalars(done, values)
                running = jax.device_put(TrainMetrics.empty(), replicated(mesh))
                progress.set_postfix(loss=f"{values['loss']:.3f}")
            if last or done % config.checkpoint.every == 0:
                save(done)
            if held_out_loss and done % config.log.eval_every == 0:
                preemption.cut_short(stop, functools.partial(measure, done))
            if last or done % config.log.samples_every == 0:
                preemption.cut_short(stop, functools.partial(show, done))
            if last:
                writer.write_scalars(done, meter.since_last())
            elif preemption.asked(stop, done):
                save(done)
                break
    if lead and done == config.steps:
        print(f"trained {config.steps} steps: {folder}")
    elif lead:
        print(f"stopped after step {done} of {config.steps}, saved: the same command resumes it")


def _examples(
    task: Task,
    folder: epath.Path,
    source: Records,
    validation: Records | None,
    mesh: Mesh,
) -> tuple[pipeline.Maker, Callable[[], dict]]:
    """The maker of the rows of a source, and a function that loads the frozen parameters."""
    data = task.config.data
    probabilities = {
        "variant_probability": data.variant_probability,
        "caption_probability": data.caption_probability,
    }
    even_frames = not task.model.family.told_progress
    if isinstance(source, CachedSource):
        load = functools.partial(task.load_without_encoders, mesh, source.empty_prompt())
        spatial = task.model.codec.spatial
        cached = CachedExamples(
            task.frames, task.shapes, spatial, even_frames=even_frames, **probabilities
        )
        return cached, load
    text_conditioner = task.text_conditioner(folder, (source, validation or source), mesh)
    examples = task.examples(
        text_conditioner, part_probability=data.part_probability, **probabilities
    )
    return examples, functools.partial(task.load_frozen, mesh, text_conditioner)


@contextlib.contextmanager
def _profiler(folder: epath.Path, start: int, steps: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call before each step. It traces `steps` steps after compilation."""
    first = start + _PROFILE_AFTER
    running = False
    with filled(folder / _PROFILE) as trace:

        def before(step: int) -> None:
            nonlocal running
            if steps and step == first:
                jax.profiler.start_trace(trace)
                running = True
            elif running and step == first + steps:
                jax.profiler.stop_trace()
                running = False

        yield before
        if running:
            jax.profiler.stop_trace()


def _keep_compiled(folder: epath.Path) -> None:
    """Keeps compiled programs in the run's folder, unless the user has named another one."""
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(folder / _COMPILED))


def _computed(running: TrainMetrics) -> dict[str, float]:
    values = {name: float(value) for name, value in jax.device_get(running.compute()).items()}
    # A range of noise levels without samples has no loss.
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _check_finite(finite: jax.Array | None, step: int, checkpoints: Checkpoints) -> None:
    if finite is None or finite:
        return
    raise UserError(
        f"loss or gradient of step {step} is NaN or infinite: {checkpoints.last_good()}; "
        "lower config.optimizer.learning_rate and start from it with config.init_from"
    )


def _devices(mesh: Mesh) -> str:
    kind = mesh.devices.flat[0].device_kind
    axes = ", ".join(f"{axis}={size}" for axis, size in mesh.shape.items() if size > 1)
    text = f"{mesh.size} x {kind}" + (f" ({axes})" if axes else "")
    unknown = throughput.unknown_peak(mesh)
    return text + (f"\n{unknown}" if unknown else "")
