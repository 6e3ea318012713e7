from painting_jax.data import photos, pictures


def test_packaged_photos_open_and_say_what_they_show():
    found = photos.packaged()
    assert len({photo.name for photo in found}) == len(found)
    for photo in found:
        assert min(pictures.load(photo.path).shape[:2]) >= 256
        assert photo.subject
        assert photo.licence


def test_a_text_beside_a_photo_is_its_subject(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cat.txt").write_text("a  striped cat\nmore")
    photo = photos.described(str(tmp_path / "in" / "cat.jpg"), str(tmp_path))
    assert photo.subject == "a striped cat"
    assert photo.name == "in/cat.jpg"
    (tmp_path / "in" / "cat.txt").write_text("a grey\u2028cat", "utf-8-sig")
    assert photos.described(str(tmp_path / "in" / "cat.jpg"), "").subject == "a grey cat"
    assert photos.described(str(tmp_path / "dog.jpg"), str(tmp_path)).subject == "a picture"
