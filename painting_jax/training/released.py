"""A released run: a trained model without its checkpoints, as a small folder to pass on.

It holds the run's config.json and tokenizer, and the parameters that samples use in one safetensors
file. Whatever reads a run reads it, too.
"""

import json
import pathlib
import shutil
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from flax import traverse_util
from jax.sharding import Mesh

from painting_jax import json_text
from painting_jax.checkpoints import safetensors_file
from painting_jax.checkpoints.safetensors_file import PendingTensor
from painting_jax.errors import UserError
from painting_jax.files import folder_written_beside, local
from painting_jax.sharding.rules import tree_shardings
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training import checksums

WEIGHTS = "model.safetensors"
# The one that comes with the package.
PACKAGED = pathlib.Path(__file__).parents[1] / "weights"
# Files of a run that are passed on beside the weights.
_CONFIG, _TOKENIZER = "config.json", "tokenizer"
# In the place of the folder of the data.
_DATA_DIR = "runs/data"
# Entry of the header: the number of training steps.
_STEP = "step"


def is_released(workdir: epath.PathLike) -> bool:
    """Whether a folder is a released run."""
    return (epath.Path(workdir) / WEIGHTS).exists()


def write(
    target: pathlib.Path, workdir: epath.PathLike, params: dict, step: int, dtype=jnp.bfloat16
) -> None:
    """Writes a released run, whole or not at all.

    Args:
      target: New folder.
      workdir: Folder of the run.
      params: Parameters that samples use.
      step: Number of training steps done.
      dtype: Dtype of the tensors in the file.
    """
    run = epath.Path(workdir)
    flat = {name: np.asarray(leaf) for name, leaf in _flat(params).items()}
    with folder_written_beside(target) as unfinished:
        config = json_text.read(run / _CONFIG)
        # Where it was trained is nobody's business, and on other machines there is no such folder.
        config["init_from"] = ""
        config["data"] |= {"data_dir": _DATA_DIR, "dataset": ""}
        config["data"].pop("fingerprint", None)
        (unfinished / _CONFIG).write_text(json.dumps(config, indent=1) + "\n")
        shutil.copytree(local(run / _TOKENIZER), unfinished / _TOKENIZER)
        safetensors_file.write(unfinished / WEIGHTS, _pending(flat, dtype), {_STEP: str(step)})


def _pending(flat: Mapping[str, np.ndarray], dtype) -> dict[str, PendingTensor]:
    return {
        name: PendingTensor(dtype, array.shape, lambda array=array: array)  # type: ignore[misc]
        for name, array in flat.items()
    }


def restore(workdir: epath.PathLike, task: FromScratch, mesh: Mesh) -> tuple[dict, int]:
    """The parameters of a released run, laid out on the mesh, and the number of training steps.

    Raises:
      UserError: If the file is damaged, or its tensors are not those of the task's model.
    """
    path = local(epath.Path(workdir) / WEIGHTS)
    tensors, metadata = safetensors_file.read_header(path)
    shapes = task.params_shapes()
    target = _flat(shapes)
    shardings = _flat(tree_shardings(shapes, mesh))
    for name, leaf in target.items():
        if name not in tensors:
            raise UserError(f"{path} does not fit config.json beside it: it has no {name}")
        if tensors[name].shape != leaf.shape:
            raise UserError(
                f"{path} does not fit config.json beside it: {name} is {tensors[name].shape} "
                f"there, {leaf.shape} here"
            )
    views = safetensors_file.views({name: tensors[name] for name in target})
    params = traverse_util.unflatten_dict(
        {
            name: jax.device_put(views[name].astype(leaf.dtype), shardings[name])
            for name, leaf in target.items()
        },
        sep=".",
    )
    try:
        checksums.check_sane(params)
    except checksums.Damaged as spoiled:
        raise UserError(f"{path} is damaged: {spoiled}") from None
    step = metadata.get(_STEP, "")
    return params, int(step) if step.isdecimal() else 0


def _flat(params: dict) -> dict:
    return traverse_util.flatten_dict(params, sep=".")
