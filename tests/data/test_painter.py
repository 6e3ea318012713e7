"""The painter shows how a picture comes about, from the blank ground to the finished picture."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from skimage import data, transform

from painting_jax import media
from painting_jax.data.painter import Manner, describe, every_word, line_art, paint
from painting_jax.data.painter.guides import palette
from painting_jax.data.painter.manner import DIRECTIONS, SCALES, orders
from painting_jax.data.painter.stages import constructions
from painting_jax.errors import UserError


def photo(height=64, width=64):
    picture = transform.resize(data.astronaut(), (height, width), anti_aliasing=True)
    return (picture * 255).astype(np.uint8)


def halves(height=64, width=64):
    """A dark blue picture whose right half is red, and its two segments."""
    picture = np.full((height, width, 3), (40, 60, 160), np.uint8)
    picture[:, width // 2 :] = (170, 40, 50)
    segments = np.ones((height, width), np.uint8)
    segments[:, width // 2 :] = 2
    return picture, segments


def stage_times(medium, **properties):
    """Beginning and end of the medium's first stage with the given properties."""
    stages = media.MEDIA[medium].stages
    for before, stage in zip((None, *stages), stages, strict=False):
        if all(getattr(stage, name) == value for name, value in properties.items()):
            return before.until if before else 0, stage.until
    raise ValueError(f"{medium} has no stage with {properties}")


def when_blocked(painting, medium, **properties):
    """Progress at which a stage first changes each pixel; nan where it never does."""
    since, until = stage_times(medium, marks="strokes", **properties)
    window = (painting.progress_T >= since - 1e-6) & (painting.progress_T <= until + 1e-6)
    frames = painting.frames_THWC[window].astype(int)
    changed = np.abs(frames - frames[0]).max(-1) > 20
    return np.where(changed.any(0), painting.progress_T[window][changed.argmax(0)], np.nan)


@pytest.mark.parametrize("medium", media.MEDIA)
def test_process_runs_from_blank_ground_to_finished_picture(medium):
    picture = photo()
    painting = paint(picture, medium, frames=9, seed=0)
    ground = 255 * np.array(media.MEDIA[medium].grounds[painting.manner.ground])
    np.testing.assert_allclose(
        painting.frames_THWC[0], np.broadcast_to(ground, (64, 64, 3)), atol=1
    )
    aim = palette(picture, media.MEDIA[medium]) * 255
    distance = np.sqrt(((painting.frames_THWC - aim) ** 2).mean((1, 2, 3)))
    assert distance.argmin() == 8
    assert distance[-1] < 0.75 * distance[0]


@pytest.mark.parametrize("medium", media.MEDIA)
@pytest.mark.parametrize("shape", [(48, 80), (16, 16), (90, 8)])
def test_every_medium_paints_every_size(medium, shape):
    painting = paint(photo(*shape), medium, frames=4, seed=0)
    assert painting.frames_THWC.shape == (4, *shape, 3)
    assert painting.frames_THWC.dtype == np.uint8
    assert painting.segments_HW.shape == shape
    assert not np.array_equal(painting.frames_THWC[0], painting.frames_THWC[-1])


@pytest.mark.parametrize("shape", [(64, 64), (400, 390)])
def test_every_frame_is_a_state_of_its_own(shape):
    frames = paint(photo(*shape), "acrylic", frames=7, seed=0).frames_THWC.astype(int)
    left_T = np.abs(frames - frames[-1]).mean((1, 2, 3))
    assert (np.diff(left_T) < 0).all()


def test_progress_rises_evenly_from_0_to_1():
    painting = paint(photo(), "oil", frames=6, seed=0)
    np.testing.assert_allclose(painting.progress_T, np.arange(6) / 5, rtol=1e-6)
    assert painting.progress_T.dtype == np.float32


def test_same_seed_gives_same_bits_and_another_seed_does_not():
    one, again, other = (paint(photo(), "oil", frames=4, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.frames_THWC, again.frames_THWC)
    assert not np.array_equal(one.frames_THWC, other.frames_THWC)


def test_painting_leaves_its_arguments_alone():
    picture, segments = halves()
    copies = picture.copy(), segments.copy()
    paint(picture, "oil", frames=3, seed=0, segments_HW=segments)
    assert np.array_equal(picture, copies[0])
    assert np.array_equal(segments, copies[1])


@pytest.mark.parametrize("medium", [name for name, entry in media.MEDIA.items() if entry.mono])
def test_monochrome_media_are_grey_on_white(medium):
    painting = paint(
        photo(), medium, frames=5, seed=0, manner=Manner("white", "fine", DIRECTIONS[0])
    )
    frames = painting.frames_THWC.astype(int)
    assert (frames.max(-1) - frames.min(-1)).max() <= 4


@pytest.mark.parametrize("medium", ["pencil", "ink"])
def test_one_pigment_takes_the_same_share_of_light_from_every_colour_of_the_ground(medium):
    manner = Manner("cream", "fine", DIRECTIONS[0])
    frames = paint(photo(), medium, frames=5, seed=0, manner=manner).frames_THWC
    share = frames / (255 * np.array(media.MEDIA[medium].grounds["cream"]))
    assert np.ptp(share, axis=-1).max() < 0.01


@pytest.mark.parametrize("medium", ["watercolor", "pencil", "colored_pencil", "ink"])
def test_transparent_media_only_darken(medium):
    frames = paint(photo(), medium, frames=17, seed=0).frames_THWC.astype(int)
    assert np.diff(frames, axis=0).max() <= 1


def tree():
    """A brown tree in front of a pale sky, and its segments: 2 in the tree."""
    picture = np.full((64, 64, 3), (170, 200, 235), np.uint8)
    segments = np.ones((64, 64), np.uint8)
    segments[16:56, 22:42] = 2
    picture[segments == 2] = (90, 60, 30)
    return picture, segments


def painted_in(order, medium, picture, segments, frames=61):
    manner = dataclasses.replace(
        Manner.default(medium), order=order, direction="from the top down", ground="white"
    )
    return paint(picture, medium, frames=frames, seed=0, manner=manner, segments_HW=segments)


def inner(mask):
    """A mask without its margin, where strokes of both sides meet."""
    return ndimage.binary_erosion(mask, iterations=6, border_value=1)


@pytest.mark.parametrize("medium", ["acrylic", "watercolor", "pastel", "digital", "pencil"])
@pytest.mark.parametrize("order", ["layered", "sectional"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_region_is_finished_before_the_next_begins(medium, order, swapped):
    picture, segments = halves()
    segments = 3 - segments if swapped else segments
    frames = painted_in(order, medium, picture, segments).frames_THWC.astype(int)
    lines = int(60 * stage_times(medium, marks="strokes", by_region=True)[0]) + 1
    first, last = (inner(segments == k) for k in (1, 2))
    changed = (np.abs(frames - frames[lines]).max(-1) > 20)[:, last].mean(1)
    begun = int((changed > 0.02).argmax())
    assert begun > lines
    aim = frames[-1][first]
    left = np.abs(frames[begun][first] - aim).mean() / np.abs(frames[lines][first] - aim).mean()
    assert left < 0.3


@pytest.mark.parametrize("medium", ["acrylic", "pencil"])
def test_alla_prima_works_on_all_regions_at_once(medium):
    picture, segments = halves()
    frames = painted_in("alla prima", medium, picture, segments).frames_THWC.astype(int)
    left_TK = np.stack(
        [np.abs(frames - frames[-1])[:, segments == k].mean((1, 2)) for k in (1, 2)], 1
    )
    left_TK = left_TK / left_TK[0]
    assert np.abs(left_TK[:, 0] - left_TK[:, 1]).max() < 0.3


@pytest.mark.parametrize("medium", ["acrylic", "oil", "pastel", "digital", "watercolor"])
def test_sky_is_painted_behind_the_tree_and_covered_later(medium):
    picture, segments = tree()
    frames = painted_in("layered", medium, picture, segments).frames_THWC.astype(int)
    sky = frames[:, :12].mean((1, 2))
    there = frames[:, 30:40, 28:36].mean((1, 2))
    # Where the tree will be, the canvas once looks as the finished sky does, or as its first wash.
    assert np.abs(there - sky[-1]).max(-1)[5:].min() < (55 if medium == "watercolor" else 22)
    assert np.abs(there[-1] - sky[-1]).max() > 60
    by_sections = painted_in("sectional", medium, picture, segments).frames_THWC.astype(int)
    assert np.abs(by_sections[20, 30:40, 28:36] - frames[20, 30:40, 28:36]).mean() > 10


def test_hatching_leaves_out_what_lies_in_front():
    picture, segments = tree()
    layered, sectional = (
        painted_in(order, "pencil", picture, segments).frames_THWC.astype(int)[:, 24:48, 28:36]
        for order in ("layered", "sectional")
    )
    begun = [
        int((np.abs(x - x[13]).mean((1, 2, 3)) > 4)[13:].argmax()) for x in (layered, sectional)
    ]
    assert abs(begun[0] - begun[1]) <= 2


def test_watercolour_is_not_laid_behind_what_is_lighter():
    picture, segments = tree()
    picture = 255 - picture
    frames = painted_in("layered", "watercolor", picture, segments).frames_THWC.astype(int)
    by_sections = painted_in("sectional", "watercolor", picture, segments).frames_THWC.astype(int)
    last = frames[-1, 24:48, 28:36].mean((0, 1))
    assert np.abs(last - by_sections[-1, 24:48, 28:36].mean((0, 1))).max() < 4


@pytest.mark.parametrize("medium", ["oil", "pencil"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_direction_orders_the_strokes_of_a_region(medium, direction):
    picture, _ = halves()
    picture[:] = (40, 60, 70)
    manner = Manner("white", "fine", direction)
    segments = np.ones((64, 64), np.uint8)
    painting = paint(picture, medium, frames=101, seed=0, manner=manner, segments_HW=segments)
    blocked = when_blocked(painting, medium)
    early, late = {
        "from the top down": (blocked[:16], blocked[-16:]),
        "from the left": (blocked[:, :16], blocked[:, -16:]),
        "from the right": (blocked[:, -16:], blocked[:, :16]),
        "from the centre outward": (blocked[24:40, 24:40], blocked[:8, :8]),
    }[direction]
    assert np.nanquantile(early, 0.8) < np.nanquantile(late, 0.2)


def test_ground_of_the_manner_shows_under_the_first_strokes():
    manners = [Manner(ground, "broad", DIRECTIONS[0]) for ground in media.MEDIA["oil"].grounds]
    for manner in manners:
        painting = paint(photo(), "oil", frames=17, seed=0, manner=manner)
        ground = 255 * np.array(media.MEDIA["oil"].grounds[manner.ground])
        bare = np.abs(painting.frames_THWC[1] - ground).max(-1) < 3
        assert bare.mean() > 0.2


@pytest.mark.parametrize("medium", ["oil", "acrylic", "pastel", "digital"])
def test_a_large_picture_ends_with_detail_of_three_pixels(medium):
    picture = np.full((512, 512, 3), 90, np.uint8)
    picture[128:384, 128:384] = np.where(np.arange(256) // 3 % 2, 40, 200)[None, :, None]
    segments = np.ones((512, 512), np.uint8)
    last = paint(picture, medium, frames=3, seed=0, segments_HW=segments).frames_THWC[-1]
    aim = palette(picture, media.MEDIA[medium]) * 255
    shown, aimed = (x[160:352, 160:352, 1].astype(float) for x in (last, aim))
    assert shown.std() > 0.6 * aimed.std()
    assert np.corrcoef(shown.ravel(), aimed.ravel())[0, 1] > 0.8


def test_oil_is_underpainted_in_values_before_it_has_colour():
    picture, segments = halves()
    picture[:] = (40, 60, 160)
    frames = paint(picture, "oil", frames=101, seed=0, segments_HW=segments).frames_THWC
    since, until = (round(100 * time) for time in stage_times("oil", values=1))
    redness = frames[..., 0].astype(int) - frames[..., 2]
    assert redness[until].min() > 0
    assert (np.abs(frames[until].astype(int) - frames[since]).max(-1) > 20).mean() > 0.8
    assert redness[-1].mean() < -60


def test_watercolor_reserves_its_whites():
    picture, segments = halves()
    picture[:, :32] = 255
    frames = paint(picture, "watercolor", frames=17, seed=0, segments_HW=segments).frames_THWC
    np.testing.assert_array_equal(
        frames[:, :, :24], np.broadcast_to(frames[:1, :, :24], (17, 64, 24, 3))
    )


def test_a_wash_dries_darker_at_its_border(monkeypatch):
    picture, segments = halves(96, 96)
    picture[:, :48] = 255
    _, until = stage_times("watercolor", by_region=True)
    washes = []
    for rim in (media.MEDIA["watercolor"].rim, 0.0):
        entry = dataclasses.replace(media.MEDIA["watercolor"], rim=rim)
        monkeypatch.setitem(media.MEDIA, "watercolor", entry)
        painting = painted_in("alla prima", "watercolor", picture, segments, frames=101)
        washes.append(painting.frames_THWC[round(100 * until), 16:-16].astype(float).mean((0, 2)))
    darker = washes[1] - washes[0]
    assert darker[48:50].mean() > 5
    assert darker[60:84].mean() < 1


@pytest.mark.parametrize("only", ["darker", "lighter"])
@pytest.mark.parametrize("medium", ["digital", "pastel"])
def test_shadows_darken_and_lights_lighten(medium, only):
    manner = dataclasses.replace(Manner.default(medium), order="alla prima")
    frames = paint(photo(), medium, frames=101, seed=0, manner=manner).frames_THWC.astype(float)
    since, until = (round(100 * time) for time in stage_times(medium, only=only))
    change = (frames[until] - frames[since]).mean(-1)
    away = -change if only == "lighter" else change
    assert np.maximum(away, 0).sum() < 0.2 * np.abs(change).sum()
    assert np.abs(change).mean() > 0.3


def test_charcoal_is_lifted_out_after_it_is_blocked_in():
    frames = paint(photo(), "charcoal", frames=101, seed=0).frames_THWC.astype(float)
    since, until = (round(100 * time) for time in stage_times("charcoal", blend="lift"))
    change = (frames[until] - frames[since]).mean(-1)
    assert change.min() >= -1
    assert change.max() > 40
    assert frames[since].mean() < frames[0].mean() - 40


def test_broad_strokes_are_broader_than_fine_ones():
    rough = {}
    for scale in SCALES:
        manner = Manner("white", scale, DIRECTIONS[0])
        half_way = paint(photo(), "acrylic", frames=5, seed=0, manner=manner).frames_THWC[3]
        rough[scale] = np.abs(half_way - palette(photo(), media.MEDIA["acrylic"]) * 255).mean()
    assert rough["broad"] > rough["fine"]


def test_loomis_head_is_constructed_before_it_is_drawn_and_fades():
    white = np.full((64, 64, 3), 235, np.uint8)
    white[20:40, 24:40] = 225
    segments = np.ones((64, 64), np.uint8)
    segments[20:40, 24:40] = 2
    painting = paint(white, "loomis_portrait", frames=9, seed=0, segments_HW=segments)
    frames = painting.frames_THWC.astype(int)
    drawn = (frames < 200).any(-1).sum((1, 2))
    assert drawn[1] > 30
    assert not (frames[2, :6] < 200).any()
    assert drawn[-1] < 0.7 * drawn[2]


def test_manner_in_words():
    assert describe(Manner("warm", "broad", "from the top down", "sectional")) == (
        "on a warm ground, broad strokes, from the top down, sectional"
    )
    assert describe(Manner("grey", "fine", "from the left", "layered", "in planes")) == (
        "on a grey ground, fine strokes, from the left, layered, in planes"
    )


def test_a_medium_is_not_built_on_what_it_has_no_strokes_for():
    assert constructions(media.MEDIA["oil"].stages) == ("freely", "in perspective", "in planes")
    for medium, refused in (("pencil", "in planes"), ("loomis_portrait", "in perspective")):
        manner = dataclasses.replace(Manner.default(medium), construction=refused)
        with pytest.raises(UserError, match=f"unknown construction for {medium} '{refused}'"):
            paint(photo(), medium, frames=3, seed=0, manner=manner)


def test_manners_are_sampled_with_all_constructions():
    rng = np.random.default_rng(0)
    drawn = [Manner.sample("oil", rng).construction for _ in range(200)]
    assert 0.55 < drawn.count("freely") / 200 < 0.8
    assert drawn.count("in planes") > 15
    assert drawn.count("in perspective") > 15


def test_bars_around_a_photo_are_there_from_the_beginning():
    framed = np.pad(photo(), ((0, 0), (20, 20), (0, 0)), constant_values=255)
    painting = paint(framed, "oil", frames=5, seed=0)
    assert (painting.frames_THWC[:, :, :20] == 255).all()
    assert (painting.frames_THWC[:, :, -20:] == 255).all()
    inner = paint(photo(), "oil", frames=5, seed=0)
    np.testing.assert_array_equal(painting.frames_THWC[:, :, 20:-20], inner.frames_THWC)
    assert painting.segments_HW.shape == (64, 104)


def test_every_word_of_every_manner_is_listed():
    words = set(" ".join(every_word()).split())
    for medium in media.MEDIA:
        for order in orders(medium):
            for construction in constructions(media.MEDIA[medium].stages):
                manner = dataclasses.replace(
                    Manner.default(medium), order=order, construction=construction
                )
                assert set(describe(manner).split()) <= words


def test_a_medium_without_passes_by_region_allows_no_order_of_regions(monkeypatch):
    stages = (media.Stage(1.0),)
    monkeypatch.setitem(media.MEDIA, "wash", media.Medium("Wash process.", stages=stages))
    assert Manner.default("wash").order == "alla prima"
    with pytest.raises(UserError, match="unknown order for wash 'layered'"):
        dataclasses.replace(Manner.default("wash"), order="layered").check("wash")
    assert paint(photo(), "wash", frames=3, seed=0).frames_THWC.shape == (3, 64, 64, 3)


@pytest.mark.parametrize("medium", media.MEDIA)
def test_sampled_manners_differ_and_can_be_painted(medium):
    rng = np.random.default_rng(0)
    manners = {Manner.sample(medium, rng) for _ in range(40)}
    assert len(manners) > 8
    for manner in manners:
        manner.check(medium)


def test_a_new_medium_is_one_entry(monkeypatch):
    sanguine = media.Medium("Sanguine drawing process step by step.", line=(0.6, 0.25, 0.15))
    monkeypatch.setitem(media.MEDIA, "sanguine", sanguine)
    painting = paint(photo(), "sanguine", frames=5, seed=0)
    assert painting.manner.ground == "white"
    assert np.abs(np.diff(painting.frames_THWC.astype(int), axis=0)).mean((1, 2, 3)).min() > 1


@pytest.mark.parametrize("medium", media.MEDIA)
def test_stages_of_every_medium_follow_each_other_to_the_end(medium):
    ends = [stage.until for stage in media.MEDIA[medium].stages]
    assert ends == sorted(set(ends))
    assert ends[0] > 0
    assert ends[-1] == 1


@pytest.mark.parametrize(
    ("medium", "kwargs", "reason"),
    [
        ("fresco", {}, "unknown medium 'fresco'"),
        ("oil", {"frames": 1}, "at least 2 frames"),
        (
            "oil",
            {"manner": Manner("pink", "broad", DIRECTIONS[0])},
            "unknown ground for oil 'pink'",
        ),
        ("oil", {"manner": Manner("warm", "huge", DIRECTIONS[0])}, "unknown stroke scale"),
        ("oil", {"manner": Manner("warm", "fine", "sideways")}, "unknown direction"),
        (
            "oil",
            {"manner": Manner("warm", "fine", DIRECTIONS[0], "backwards")},
            "unknown order for oil 'backwards'",
        ),
        ("oil", {"segments_HW": np.ones((3, 3), np.uint8)}, "sizes must match"),
    ],
)
def test_mistakes_are_named(medium, kwargs, reason):
    with pytest.raises(UserError, match=reason):
        paint(photo(16, 16), medium, **({"frames": 3, "seed": 0} | kwargs))


def test_line_art_is_dark_lines_on_white():
    drawing = line_art(photo(128, 128))
    assert drawing.shape == (128, 128, 3)
    assert (drawing == 255).mean() > 0.6
    assert (drawing < 100).mean() > 0.01
    assert np.ptp(drawing, axis=-1).max() == 0
