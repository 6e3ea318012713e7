"""What happens to videos and pictures on their way: re-encoding, cropping, scaling."""

import io
from collections.abc import Callable, Mapping

import av
import numpy as np
from PIL import Image

from painting_jax.data import pictures

Attack = Callable[[np.ndarray], np.ndarray]  # uint8 [T, H, W, 3] to the like


def h264(
    frames_THWC: np.ndarray, *, crf: int = 23, kbits: int = 0, rate: int = 3, repeat: int = 1
) -> np.ndarray:
    """Encodes frames as H.264 and decodes them.

    Args:
      frames_THWC: uint8 RGB; an odd last row or column is left out.
      crf: Quality, the lower the better.
      kbits: Bits a second in thousands, instead of a quality.
      rate: Frames a second.
      repeat: Times that each frame is shown.
    """
    _, height, width, _ = frames_THWC.shape
    shown_THWC = frames_THWC[:, : height // 2 * 2, : width // 2 * 2].repeat(repeat, 0)
    file = io.BytesIO()
    options = {"threads": "1"} | ({} if kbits else {"crf": str(crf)})
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = shown_THWC.shape[1:3]
        stream.pix_fmt = "yuv420p"
        if kbits:
            stream.bit_rate = 1000 * kbits
        for frame_HWC in shown_THWC:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(decoded[::repeat])


def jpeg(frames_THWC: np.ndarray, quality: int) -> np.ndarray:
    """Encodes each frame as a jpg with 4:2:0 chroma, and decodes it."""
    decoded = []
    for frame_HWC in frames_THWC:
        file = io.BytesIO()
        Image.fromarray(frame_HWC).save(file, "JPEG", quality=quality)
        decoded.append(np.asarray(Image.open(file)))
    return np.stack(decoded)


def scale(frames_THWC: np.ndarray, factor: float) -> np.ndarray:
    """Scales frames (bicubic)."""
    size = [round(side * factor) for side in frames_THWC.shape[1:3]]
    return np.stack([pictures.resize(frame_HWC, *size) for frame_HWC in frames_THWC])


def crop(
    frames_THWC: np.ndarray, top: float = 0, left: float = 0, bottom: float = 0, right: float = 0
) -> np.ndarray:
    """Cuts off shares of the sides."""
    height, width = frames_THWC.shape[1:3]
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    return frames_THWC[:, rows, columns]


def _all_sides(frames_THWC: np.ndarray) -> np.ndarray:
    return crop(frames_THWC, 0.05, 0.05, 0.05, 0.05)


ATTACKS: Mapping[str, Attack] = {
    "none": lambda frames: frames,
    "H.264, CRF 23": h264,
    "H.264, CRF 35": lambda frames: h264(frames, crf=35),
    "H.264, CRF 35, 25 frames/s": lambda frames: h264(frames, crf=35, rate=25, repeat=9),
    "H.264, CRF 40": lambda frames: h264(frames, crf=40),
    "H.264, 300 kbit/s": lambda frames: h264(frames, kbits=300, rate=25, repeat=9),
    "crop 5 % left": lambda frames: crop(frames, left=0.05),
    "crop 5 % top": lambda frames: crop(frames, top=0.05),
    "crop 5 % right": lambda frames: crop(frames, right=0.05),
    "crop 5 % bottom": lambda frames: crop(frames, bottom=0.05),
    "crop 5 % all sides": _all_sides,
    "scale 0.5": lambda frames: scale(frames, 0.5),
    "scale 1.5": lambda frames: scale(frames, 1.5),
    "JPEG, quality 50": lambda frames: jpeg(frames, 50),
    "crop all sides, CRF 35": lambda frames: h264(_all_sides(frames), crf=35),
    "scale 0.5, CRF 28": lambda frames: h264(scale(frames, 0.5), crf=28),
    "scale 0.5, CRF 35": lambda frames: h264(scale(frames, 0.5), crf=35),
    "crop all sides, scale 0.5, CRF 28": lambda f: h264(scale(_all_sides(f), 0.5), crf=28),
    "crop all sides, scale 0.73, JPEG 50": lambda f: jpeg(scale(_all_sides(f), 0.73), 50),
}
