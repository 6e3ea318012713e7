import hypothesis
import hypothesis.strategies as st

from painting_jax.data import photos, splits

_SOURCES = st.sets(st.integers(0, 999).map(str), min_size=1, max_size=40)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(_SOURCES)
def test_no_split_is_empty_from_three_sources_on(sources):
    assigned = splits.assign(sources)
    assert set(assigned) == sources
    used = set(assigned.values())
    assert used == set(splits.SPLITS) if len(sources) >= 3 else used == {"train"}


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(_SOURCES, st.randoms())
def test_splits_depend_on_the_set_alone(sources, random):
    shuffled = sorted(sources) * 2
    random.shuffle(shuffled)
    assert splits.assign(shuffled) == splits.assign(sources)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(_SOURCES)
def test_most_sources_train(sources):
    held_out = sum(split != "train" for split in splits.assign(sources).values())
    # 15 % for either purpose, each rounded.
    assert held_out <= max(4, 0.3 * len(sources) + 1)
    assert len(sources) < 4 or held_out < len(sources) / 2 + 1


def test_packaged_photos_hold_out_two_for_each_purpose():
    keys = [splits.content_hash(photo.path) for photo in photos.packaged()]
    assert len(set(keys)) == len(keys) >= 11
    assigned = list(splits.assign(keys).values())
    assert assigned.count("validation") >= 2
    assert assigned.count("test") >= 2


def test_content_hash_ignores_the_name(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * 3_000_000)
    (tmp_path / "c").write_bytes(b"x" * 3_000_001)
    hashes = [splits.content_hash(tmp_path / name) for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]
