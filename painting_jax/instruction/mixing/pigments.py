"""Pigments whose absorption and scattering were measured."""

import dataclasses
import functools

import numpy as np

from painting_jax.instruction.mixing import colours, kubelka_munk, spectra

# Amount of a watercolour, in 0.01 ml of the measured samples, that is painted undiluted.
UNDILUTED = 4.0

PAINT, WASH = "paint", "wash"

# Mixtures whose spectra are held at once: what fits a processor's cache is faster.
_BLOCK = 2048


@dataclasses.dataclass(frozen=True, eq=False)
class Pigment:
    """A pigment in its binder.

    Attributes:
      key: Name in `pigments.json`.
      name: Name in English.
      index: Colour Index name, such as "PB29"; "" if the name stands for several.
      film: "paint" (a layer that hides its ground) or "wash" (watercolour over paper).
      source: Key of its source, in "sources" of `pigments.json`.
      absorption_W, scattering_W: Per unit, at `spectra.wavelengths`.
    """

    key: str
    name: str
    index: str
    film: str
    source: str
    absorption_W: np.ndarray
    scattering_W: np.ndarray


@functools.cache
def known() -> dict[str, Pigment]:
    """The pigments by key."""
    return {entry["key"]: _pigment(**entry) for entry in spectra.data()["pigments"]}


def _pigment(absorption: list[float], scattering: list[float], **fields: str) -> Pigment:
    return Pigment(**fields, absorption_W=np.array(absorption), scattering_W=np.array(scattering))


def mixture_lab(pigments: list[Pigment], amounts_MP: np.ndarray) -> np.ndarray:
    """CIE Lab of mixtures of pigments of one film, float64[M, 3].

    Args:
      pigments: P pigments.
      amounts_MP: Amounts of each pigment. For paints only their ratio counts; for washes they are
        those in the whole layer, in 0.01 ml of the measured samples.
    """
    blocks = np.array_split(amounts_MP, -(-len(amounts_MP) // _BLOCK))
    return np.concatenate([_mixture_lab(pigments, amounts_BP) for amounts_BP in blocks])


def _mixture_lab(pigments: list[Pigment], amounts_BP: np.ndarray) -> np.ndarray:
    absorption_BW = kubelka_munk.mixed(amounts_BP, np.array([p.absorption_W for p in pigments]))
    scattering_BW = kubelka_munk.mixed(amounts_BP, np.array([p.scattering_W for p in pigments]))
    if pigments[0].film == WASH:
        seen_BW = kubelka_munk.layer(absorption_BW, scattering_BW, spectra.paper())
    else:
        seen_BW = kubelka_munk.outside(kubelka_munk.hiding_layer(absorption_BW, scattering_BW))
    return colours.lab_of_spectrum(seen_BW)


def estimated(rgb: tuple[int, int, int], name: str) -> Pigment:
    """A pigment for a paint of which only the colour is known: an approximation.

    The reflectance is the smoothest with that colour; the scattering is that of the middle of the
    measured pigments, so how strongly it tints is a guess.
    """
    measured = [pigment for pigment in known().values() if pigment.film == PAINT]
    scattering_W = np.median([pigment.scattering_W for pigment in measured], 0)
    inside_W = kubelka_munk.inside(smoothest_spectrum(rgb))
    absorption_W = kubelka_munk.absorption_of(inside_W, scattering_W)
    return Pigment(name, name, "", PAINT, "", absorption_W, scattering_W)


def smoothest_spectrum(rgb: tuple[int, int, int]) -> np.ndarray:
    """The reflectance 0..1, float64[W], of least slope that has a colour.

    The least hyperbolic tangent slope squared of Burns, Numerical methods for smoothest reflectance
    reconstruction, 2020. Colours at the edge of sRGB are moved a little inwards: no reflectance
    below 1 has them.
    """
    code = np.array(rgb) / 255
    linear = np.where(code > 0.04045, ((code + 0.055) / 1.055) ** 2.4, code / 12.92)
    target = np.clip(linear, 0.003, 0.97)
    to_rgb = colours.linear_rgb_of_spectrum()
    count = len(to_rgb)
    slope = 4 * np.eye(count) - 2 * np.eye(count, k=1) - 2 * np.eye(count, k=-1)
    slope[0, 0] = slope[-1, -1] = 2
    z, multipliers = np.zeros(count), np.zeros(3)
    for _ in range(30):
        tanh = np.tanh(z)
        first, second = (1 - tanh**2) / 2, -(1 - tanh**2) * tanh
        pull = to_rgb @ multipliers
        residual = np.concatenate([slope @ z + first * pull, to_rgb.T @ ((tanh + 1) / 2) - target])
        jacobian = np.block(
            [
                [slope + np.diag(second * pull), first[:, None] * to_rgb],
                [(first[:, None] * to_rgb).T, np.zeros((3, 3))],
            ]
        )
        step = np.linalg.solve(jacobian, -residual)
        # Long steps overshoot where the tangent is flat.
        step *= min(1, 2 / np.abs(step[:count]).max())
        z, multipliers = z + step[:count], multipliers + step[count:]
        if np.abs(step[:count]).max() < 1e-7:
            break
    return (np.tanh(z) + 1) / 2
