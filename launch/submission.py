"""Runs that are submitted to a target become work units of an XManager experiment."""

import contextlib
from collections.abc import Callable, Sequence

import attr
from xmanager import xm
from xmanager.xm import job_operators
from xmanager.xm_local import registry

from launch.runs import Run
from launch.target import Target
from painting_jax.errors import UserError


@attr.s(auto_attribs=True)
class Submitted(xm.Executor):
    """Hands a manifest to a target.

    Attributes:
      target: Target to submit to.
      manifest: What `Target.manifest` returned.
      started: What the target said that it has started.
      refusal: Why it has not; XManager would log the error on its way.
    """

    target: Target
    manifest: str
    started: str = ""
    refusal: UserError | None = None

    Spec = xm.ExecutorSpec

    @classmethod
    async def launch(cls, local_experiment_unit, job_group) -> Sequence:
        """Submits the jobs. XManager does not follow them: the cluster does."""
        for job in job_operators.flatten_jobs(job_group):
            try:
                job.executor.started = job.executor.target.submit(job.executor.manifest)
            except UserError as error:
                job.executor.refusal = error
        return []


@attr.s(auto_attribs=True)
class Described(xm.Executable):
    """An executable that the manifest describes: nothing is packaged."""


registry.register(Submitted, launch=Submitted.launch)


async def submit(
    experiment: xm.Experiment,
    target: Target,
    manifests: Sequence[tuple[Run, str]],
    report: Callable[[str], None],
) -> None:
    """Submits runs in their order.

    Args:
      experiment: XManager's record of them.
      target: Where they are to run.
      manifests: Runs with their manifests.
      report: Function that is told what was started, in one line each.

    Raises:
      UserError: If the target refuses one. Those before it are started.
    """
    executors = [Submitted(target, manifest) for _, manifest in manifests]
    # Hides XManager's own messages.
    with contextlib.redirect_stdout(None):
        async with experiment:
            for (run, _), executor in zip(manifests, executors, strict=True):
                await experiment.add(xm.Job(Described(run.name), executor))
                if executor.refusal:
                    break
    for executor in executors:
        if executor.refusal:
            raise executor.refusal
        report(executor.started)
