"""The folder of a run: it belongs to one config, and one training at a time writes to it."""

import contextlib
import functools
import json
import os
import threading
from collections.abc import Callable, Iterator

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from painting_jax import remote_paths
from painting_jax.checkpoints.save import CONFIG
from painting_jax.config import OPERATIONAL, added_since, read_config
from painting_jax.data import dataset_folder
from painting_jax.errors import UserError
from painting_jax.files import move_folder, names_in, remove_unfinished, written_beside
from painting_jax.locking import NAME as LOCK
from painting_jax.locking import alone
from painting_jax.media import MEDIA
from painting_jax.tasks.exports import TRANSFORMER

# Fields that may also differ if the dataset is the same.
_WHERE_DATA_LIE = ("data_dir", "dataset")
# What a run's config notes beside the fields of the experiment: how its latents were stored.
_LATENTS_DTYPE = "latents_dtype"
# Fields that hold paths. Two spellings of one path are equal.
_PATHS = ("data.data_dir", "init_from", "pretrained.path")


@contextlib.contextmanager
def claimed(
    workdir: epath.PathLike, config: ConfigDict, data: epath.PathLike
) -> Iterator[Callable[[], None]]:
    """Claims a folder for a run, and keeps other trainings out of it while the block runs.

    All processes of a training must call it. If the block raises before the yielded function is
    called, the folder is restored to its previous state, so that the user can try again.

    Args:
      workdir: Folder of the run.
      config: Config of the experiment. When a run is resumed, paths in it may have changed, and
        there may be more steps.
      data: Folder of the dataset, which is recognised by its fingerprint.

    Yields:
      A function to call once the run has begun, and before anything more is written. It raises
      UserError if another training has taken the folder over, which happens in buckets alone.

    Raises:
      UserError: If the folder holds other files, holds a run of another config (the error names the
        fields that differ) or of another dataset, or another training is writing to it.
    """
    remote_paths.check_run("workdir", workdir)
    folder = epath.Path(workdir)
    begun = threading.Event()
    lengthen: Callable[[], None] = _nothing
    check_lock: Callable[[], None] = _nothing
    with contextlib.ExitStack() as at_end:
        refusal = None
        if jax.process_index() == 0:
            busy = f"{workdir} is being written by another train: wait for it to end"
            try:
                refused_to = f"{busy}, or use another --workdir"
                check_lock = at_end.enter_context(alone(folder, refused_to))
                for place in (folder, *(path for path in folder.iterdir() if path.is_dir())):
                    remove_unfinished(place)
                lengthen = at_end.enter_context(_new_until(begun, folder, config, data))
            except (UserError, OSError) as error:
                refusal = error
        if jax.process_count() > 1:
            # The other processes must not wait for one that gave up.
            refused = multihost_utils.broadcast_one_to_all(np.bool_(refusal is not None))
            if refused and refusal is None:
                refusal = UserError(f"{workdir} is refused to process 0, which says why")
        if refusal is not None:
            raise refusal

        def begin() -> None:
            check_lock()
            if not begun.is_set():
                begun.set()
                lengthen()

        yield begin


def as_run_began(config: ConfigDict, workdir: epath.PathLike) -> ConfigDict:
    """The config to resume a run with, even if defaults have changed since it began.

    Args:
      config: Config of the experiment.
      workdir: Folder of the run, which may not exist yet.

    Returns:
      The config with the media of the run, unless the experiment sets its own media, and with the
      fields of its model that are newer than the run as they were without them. If `init_from` is
      the run itself, it resumes as it is.

    Raises:
      UserError: If the config of the run is damaged.
    """
    if not (epath.Path(workdir) / "config.json").exists():
        return config
    resumed = config.copy_and_resolve_references()
    if tuple(config.model.media) == tuple(MEDIA):
        resumed.model.media = tuple(read_config(workdir).model.media)
    if _same_place(config.init_from, os.fspath(workdir)):
        resumed.init_from = read_config(workdir).init_from
    newer = {
        name: value
        for name, value in added_since(workdir).items()
        if name.startswith("model.") and name != "model.media"
    }
    resumed.update_from_flattened_dict(newer)
    return resumed


@contextlib.contextmanager
def _new_until(
    begun: threading.Event, folder: epath.Path, config: ConfigDict, data: epath.PathLike
) -> Iterator[Callable[[], None]]:
    """Yields a function that lengthens an existing run, to be called once it goes on."""
    # What identifies a run: its config and the fingerprint of its data.
    mine = json.loads(config.to_json())
    mine["data"]["fingerprint"] = dataset_folder.fingerprint(data)
    if dtype := dataset_folder.stored_dtype(data):
        mine["data"][_LATENTS_DTYPE] = dtype
    path = folder / "config.json"
    if path.exists():
        yield _check_same(mine, folder, data)
        return
    if set(names_in(folder)) - {LOCK}:
        raise UserError(f"{folder} is not empty and holds no run: use a new --workdir")
    # The folder was empty: from here on, all of its contents belong to this run.
    try:
        _write(path, mine)
        yield _nothing
    except Exception:
        if not begun.is_set():
            _empty(folder)
        raise


def _nothing() -> None:
    pass


def _write(path: epath.Path, record: dict) -> None:
    with written_beside(path) as beside:
        beside.write_text(json.dumps(record, indent=2))


def _empty(folder: epath.Path) -> None:
    # Only the contents are removed: the folder itself may be a link or a mounted disk.
    for name in names_in(folder):
        if name == LOCK:
            continue
        if (folder / name).is_dir():
            (folder / name).rmtree()
        else:
            (folder / name).unlink()


def _check_same(mine: dict, folder: epath.Path, data: epath.PathLike) -> Callable[[], None]:
    """Checks that a run is of this config; returns a function that records its new length."""
    theirs = json.loads(read_config(folder).to_json())
    del mine["data"]["fingerprint"]
    trained_on = theirs.get("data", {}).pop("fingerprint", "")
    remedy = (
        "give that one as --data_dir, or go on with this one in a new run, with a new --workdir "
        f"and --config.init_from={folder}"
    )
    dataset_folder.check_same(data, trained_on, folder, remedy)
    if trained_on:
        for name in _WHERE_DATA_LIE:
            theirs["data"][name] = mine["data"][name]
    before, now = theirs["steps"], mine["steps"]
    if now > before:
        theirs["steps"] = now
    differing = _differences(mine, theirs)
    if differing:
        raise UserError(
            f"{folder} holds a run of another config ({'; '.join(differing[:4])}): "
            "use another --workdir, or the same config to resume; only steps may grow"
        )
    if now <= before:
        return _nothing
    return functools.partial(_lengthen, folder, before, now)


def _lengthen(folder: epath.Path, before: int, now: int) -> None:
    if (folder / TRANSFORMER / CONFIG).exists():
        # It is what the run came to before. Its name is for what the run comes to.
        kept = folder / f"{TRANSFORMER}_{before}"
        move_folder(folder / TRANSFORMER, kept, last=CONFIG)
        print(f"what {before} steps have come to is kept as {kept}")
    # After the move, which takes a while in a bucket: until it is done, the run is as it was.
    path = folder / "config.json"
    _write(path, json.loads(path.read_text()) | {"steps": now})
    print(f"lengthened from {before} to {now} steps, with the learning rates of {now} from here on")


def _differences(mine: dict, theirs: dict, prefix: str = "") -> list[str]:
    lines = []
    for name in sorted(mine.keys() | theirs.keys()):
        if f"{prefix}{name}" in OPERATIONAL:
            continue
        a, b = mine.get(name), theirs.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            lines += _differences(a, b, f"{prefix}{name}.")
        elif a != b and not (f"{prefix}{name}" in _PATHS and _same_place(a, b)):
            lines.append(f"{prefix}{name} was {b}, is {a}")
    return lines


def _same_place(a: str, b: str | None) -> bool:
    return bool(a and b) and os.path.realpath(a) == os.path.realpath(b)
