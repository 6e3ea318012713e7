"""What a recording of an hour takes to prepare: time, and the memory of the worker."""

import pathlib
import subprocess
import sys
import threading
import time

import av
from etils import epath

from benchmarks.timing import Row
from painting_jax.data import containers, random_access, video
from painting_jax.errors import UserError

_FPS, _HOUR = 25, 3600
_WATCHED = 256  # frames that the cleaning asks for
_STATUS = pathlib.Path("/proc/self/status")


def repeat(source: pathlib.Path, target: pathlib.Path) -> int:
    """Writes the packets of a short film again and again until they last an hour.

    Returns:
      The number of frames.
    """
    with av.open(str(source)) as short, av.open(str(target), "w") as out:
        track = short.streams.video[0]
        copied = out.add_stream_from_template(track)
        packets = [packet for packet in short.demux(track) if packet.size]
        step = round(1 / (_FPS * track.time_base))
        own = packets[1].dts - packets[0].dts
        count = _HOUR * _FPS
        for number in range(count):
            again, index = divmod(number, len(packets))
            packet, before = av.Packet(bytes(packets[index])), again * len(packets) * step
            packet.pts = packets[index].pts * step // own + before
            packet.dts = packets[index].dts * step // own + before
            packet.duration = step
            packet.is_keyframe = packets[index].is_keyframe
            packet.time_base, packet.stream = track.time_base, copied
            out.mux(packet)
    return count


def measure(path: pathlib.Path, folder: pathlib.Path) -> list[Row]:
    """Prepares a recording in a process of its own, and watches its workers.

    Args:
      path: The recording, alone in its folder.
      folder: For the data set.

    Raises:
      UserError: If the system does not report peak memory, or nothing was prepared.
    """
    if not _STATUS.exists():
        raise UserError("the peak of a process's memory is known on Linux alone: measure there")
    times = containers.timeline(epath.Path(path))
    wanted = video.evenly_timed(times.seconds, _WATCHED)
    parts = random_access.parts([times.spans[index] for index in wanted], len(times.spans))
    decoded = sum(map(len, parts)) if parts else len(times.seconds)
    start = time.perf_counter()
    video.read(path, max_frames=_WATCHED, max_side=854)
    reading = time.perf_counter() - start
    start = time.perf_counter()
    whole = sum(1 for _ in _every_frame(path))
    decoding = time.perf_counter() - start
    start = time.perf_counter()
    command = [
        sys.executable, "-m", "painting_jax.prepare", "--builder=recorded_processes",
        f"--source={path}", f"--data_dir={folder}", "--medium=oil", "--clean", "--edits=keep",
        "--min_quality=0",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks: dict[int, int] = {}
    watching = threading.Thread(target=_watch, args=(process, peaks))
    watching.start()
    status = process.wait()
    watching.join()
    if status:
        raise UserError(f"prepare ended with {status}")
    took = time.perf_counter() - start
    workers = [peak for pid, peak in peaks.items() if pid != process.pid]
    return [
        Row("an hour, prepared", "s", [took], f"{whole:,} frames, {path.stat().st_size:,} bytes"),
        Row("- the worker's peak memory", "GiB", [max(workers) / 2**30], "resident"),
        Row("- this process's", "GiB", [peaks[process.pid] / 2**30], "resident"),
        Row(f"- reading {len(wanted)} frames", "s", [reading], f"{decoded:,} are decoded"),
        Row("- decoding all", "s", [decoding], "what it would take otherwise, without colours"),
    ]


def _every_frame(path: pathlib.Path):
    with av.open(str(path)) as film:
        yield from film.decode(video=0)


def _watch(process: subprocess.Popen, peaks: dict[int, int]) -> None:
    """Keeps the largest memory of a process and its descendants, by process, until it ends."""
    while process.poll() is None:
        known = {process.pid}
        for folder in sorted(pathlib.Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
            try:
                status = (folder / "status").read_text()
            except OSError:
                continue  # it has ended
            fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            if (pid := int(folder.name)) in known or int(fields["PPid"]) in known:
                known.add(pid)
                peak = 1024 * int(fields.get("VmHWM", "0").split()[0])
                peaks[pid] = max(peaks.get(pid, 0), peak)
        time.sleep(0.2)
