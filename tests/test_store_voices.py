"""Voices and their consents; owners and the administrator's settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.jobs_kit import Store, open_store
from webui.errors import UserError
from webui.store.hotwords import HotwordStore
from webui.store.jobs import new_uid
from webui.store.rows import JobFilter, NewConsent, NewVoice, VoiceRow, now_ms

SELF = NewConsent("self", "张三")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "history.db")


def add(store: Store, name: str = "小张", owner: str = "a", consent: NewConsent = SELF, **values: bool) -> VoiceRow:
    new = NewVoice(new_uid(), store.owner(owner).id, name, "你好", f"voices/{name}.wav", "0" * 64, 4.5)
    return store.voices.add(replace(new, **values), consent)


def test_a_voice_is_found_by_name_and_uid_by_its_owner_only(store: Store) -> None:
    voice = add(store)
    mine, theirs = store.owner("a").id, store.owner("b").id
    assert store.voices.find(mine, "小张") == store.voices.find(mine, voice.uid) == voice
    assert store.voices.find(theirs, "小张") is store.voices.find(theirs, voice.uid) is None


def test_a_shared_voice_is_everybodys_and_ones_own_name_wins(store: Store) -> None:
    shared = add(store, owner="a", shared=True)
    other = store.owner("b").id
    assert store.voices.find(other, "小张") == shared and store.voices.visible(other) == [shared]
    own = add(store, owner="b")
    assert store.voices.find(other, "小张") == own
    assert {voice.uid for voice in store.voices.visible(other)} == {own.uid, shared.uid}


def test_a_name_is_taken_once_per_owner(store: Store) -> None:
    add(store)
    with pytest.raises(UserError) as caught:
        add(store)
    assert caught.value.code == "VOICE_EXISTS"
    add(store, owner="b")
    add(store, saved=False)  # made for one job: it has no place in the list
    assert len(store.voices.visible(store.owner("a").id)) == 1


def test_only_a_live_consent_makes_a_voice_usable(store: Store) -> None:
    expired = add(store, "旧", consent=NewConsent("written", "李四", expires_at=now_ms() - 1))
    lasting = add(store, "新", consent=NewConsent("recorded", "李四", expires_at=now_ms() + 60_000))
    assert [store.voices.usable(voice.id) for voice in (expired, lasting)] == [False, True]
    store.voices.add_consent(expired.owner_id, expired.uid, SELF)
    assert store.voices.usable(expired.id) and store.voices.consents(expired.id)[0].basis == "self"


def test_withdrawing_consent_stops_the_voice_and_forgets_its_features(store: Store) -> None:
    voice = add(store)
    store.voices.keep_features(voice.id, "engine", "r1", b"features")
    store.voices.revoke(voice.owner_id, voice.uid)
    assert not store.voices.usable(voice.id)
    assert store.voices.features(voice.id, "engine", "r1") is None
    assert store.voices.visible(voice.owner_id) == [voice]


def test_features_belong_to_an_engine_and_its_revision(store: Store) -> None:
    voice = add(store)
    store.voices.keep_features(voice.id, "engine", "r1", b"old")
    store.voices.keep_features(voice.id, "engine", "r1", b"new")
    assert store.voices.features(voice.id, "engine", "r1") == b"new"
    assert store.voices.features(voice.id, "engine", "r2") is None


def test_another_transcript_needs_other_features(store: Store) -> None:
    voice = add(store)
    store.voices.keep_features(voice.id, "engine", "r1", b"features")
    changed = store.voices.change(voice.owner_id, voice.uid, name="老张", shared=True)
    assert (changed.name, changed.shared, store.voices.features(voice.id, "engine", "r1")) == (
        "老张",
        True,
        b"features",
    )
    store.voices.change(voice.owner_id, voice.uid, transcript="再见")
    assert store.voices.features(voice.id, "engine", "r1") is None


def test_a_name_cannot_be_changed_to_a_taken_one(store: Store) -> None:
    add(store, "甲")
    voice = add(store, "乙")
    with pytest.raises(UserError) as caught:
        store.voices.change(voice.owner_id, voice.uid, name="甲")
    assert caught.value.code == "VOICE_EXISTS"


def test_a_deleted_voice_leaves_its_consents_and_frees_its_name(store: Store) -> None:
    voice = add(store)
    assert store.voices.delete(voice.owner_id, voice.uid) == ["voices/小张.wav"]
    assert store.voices.get(voice.id) is None and len(store.voices.consents(voice.id)) == 1
    add(store)


def test_nobody_changes_a_voice_of_someone_else(store: Store) -> None:
    voice = add(store, shared=True)
    stranger = store.owner("b").id
    for use in (store.voices.delete, store.voices.revoke, store.voices.change):
        with pytest.raises(UserError) as caught:
            use(stranger, voice.uid)
        assert caught.value.code == "VOICE_NOT_FOUND"


def test_a_cookie_is_the_same_owner_again(store: Store) -> None:
    first = store.accounts.by_token("a" * 64)
    assert store.accounts.by_token("a" * 64).id == first.id != store.accounts.by_token("b" * 64).id
    assert store.accounts.find_token("a" * 64) == first and store.accounts.find_token("c" * 64) is None
    assert store.accounts.by_name("api").id == store.accounts.by_name("api").id


def test_adoption_moves_jobs_and_voices(store: Store) -> None:
    job, voice = store.finished("投诉", store.owner("a")), add(store)
    admin = store.owner("admin").id
    assert store.accounts.adopt(admin, job.owner_id) == 1
    assert [row.uid for row in store.history.page(JobFilter(admin, "投诉"))] == [job.uid]
    assert store.voices.find(admin, voice.uid) is not None


def test_settings_are_kept_key_by_key(store: Store) -> None:
    store.options.set({"device": "cpu", "default_recognizer": "basic"})
    store.options.set({"device": "auto"})
    options = store.options.all()
    assert (options["device"], options["default_recognizer"]) == ("auto", "basic")


def readable(store: Store, words: str) -> bool:
    """Whether the database's files still hold `words`."""
    files = store.database.path.parent.glob(f"{store.database.path.name}*")
    return any(words.encode() in file.read_bytes() for file in files)


def test_a_deleted_voice_can_be_read_nowhere(store: Store) -> None:
    voice = add(store)
    store.voices.change(voice.owner_id, voice.uid, name="王小二的声音", transcript="秘密的提示文本")
    assert readable(store, "王小二的声音") and readable(store, "秘密的提示文本")
    store.voices.delete(voice.owner_id, voice.uid)
    assert not readable(store, "王小二的声音") and not readable(store, "秘密的提示文本")


def test_features_of_a_revoked_voice_can_be_read_nowhere(store: Store) -> None:
    voice = add(store)
    store.voices.keep_features(voice.id, "engine", "1", "声纹的字节".encode())
    assert readable(store, "声纹的字节")
    store.voices.revoke(voice.owner_id, voice.uid)
    assert not readable(store, "声纹的字节")


def test_words_of_a_list_that_was_changed_or_deleted_can_be_read_nowhere(store: Store) -> None:
    lists, owner = HotwordStore(store.database), store.owner().id
    lists.keep(owner, "名单", ["吴彦祖", "陈小春"], 9)
    lists.keep(owner, "名单", ["陈小春"], 9)
    assert readable(store, "陈小春") and not readable(store, "吴彦祖")
    lists.delete(owner, "名单")
    assert not readable(store, "陈小春") and not readable(store, "名单")
