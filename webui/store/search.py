"""Full-text search that finds any part of a text: a contentless FTS5 table fed with overlapping pieces.

FTS5's own tokenisers fail here: unicode61 makes one token of a whole run of Chinese characters and of a long number,
and trigrams find no word of two characters, which most Chinese words are. So a text is cut into runs of one kind
(Chinese, letters, digits, single symbols); of every place in a run its next few characters are written as a token, two
of a Chinese run and three of others, fewer at its end. A query is the phrase of these tokens, the last of them a
prefix where it is short: exactly a substring search, blind to spaces and punctuation (ISO 9001 is ISO9001).
The owner and the kind are tokens in a second column: joining many hits to `jobs` to find an owner's few is slow.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from sqlalchemy import Connection, Row, text

TOKENISER_VERSION = 2  # raise it when `tokens` changes: the index is then rebuilt at the next start
CREATE_INDEX = "CREATE VIRTUAL TABLE jobs_fts USING fts5(text, own, content='', tokenize='ascii', prefix='1 2')"
MAX_TERMS = 16

_BETWEEN = "\ue000"  # a token that no query has: nothing is found half in the text, half in the file's name

_CJK = "々〇㐀-䶿一-鿿豈-龎ぁ-ゖァ-ヺーｦ-ﾝ가-힣\U00020000-\U0002fa1f"
_IS_CJK = re.compile(f"[{_CJK}]")
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_INSERT = text("INSERT INTO jobs_fts(rowid, text, own) VALUES (:id, :text, :own)")
_REMOVE = text("INSERT INTO jobs_fts(jobs_fts, rowid, text, own) VALUES ('delete', :id, :text, :own)")
_SOURCE = "SELECT id, owner_id, kind, file_name, text FROM jobs WHERE deleted_at IS NULL"


def tokens(content: str) -> Iterator[str]:
    """The index tokens of a text: of every place in a run its next characters."""
    for run in _runs(content):
        width = _width(run)
        yield from (run[at : at + width] for at in range(len(run)))


def indexed(content: str, file_name: str) -> str:
    """What the index holds of a job."""
    return " ".join([*tokens(content), _BETWEEN, *tokens(file_name)])


def match_expression(query: str, owner_id: int | None, kind: str | None = None) -> str | None:
    """The FTS5 MATCH expression for what a user typed; None where nothing in it can be searched.

    Every part between spaces must occur, and as a whole: 张三2025 in one place.

    Whatever the user typed arrives only inside quotes: FTS5's own syntax is not reachable.
    """
    terms = [term for term in map(_term, query.split()[:MAX_TERMS]) if term]
    if not terms:
        return None
    own = [f'own:"u{owner_id}"'] * (owner_id is not None) + [f'own:"k{kind}"'] * (kind is not None)
    return " AND ".join([f"text:{term}" for term in terms] + own)


def add(connection: Connection, job_id: int) -> None:
    """Index a job; belongs into the transaction that writes it."""
    connection.execute(_INSERT, _entry(_source(connection, job_id)))


def remove(connection: Connection, job_id: int) -> None:
    """Forget a job before its row changes: a contentless table forgets only what it is told again word for word."""
    connection.execute(_REMOVE, _entry(_source(connection, job_id)))


def fill_index(connection: Connection) -> int:
    """Write the whole index anew; the number of jobs in it."""
    connection.execute(text("DROP TABLE IF EXISTS jobs_fts"))
    connection.execute(text(CREATE_INDEX))
    count = 0
    for rows in connection.execute(text(f"{_SOURCE} ORDER BY id")).partitions(500):
        connection.execute(_INSERT, [_entry(row) for row in rows])
        count += len(rows)
    return count


def _runs(content: str) -> Iterator[str]:
    """Stretches of one kind; spaces, punctuation and ASCII symbols only part them."""
    for kind, characters in groupby(_folded(content), _kind):
        if kind == "S":
            yield from characters
        elif kind:
            yield "".join(characters)


def _folded(content: str) -> str:
    """Without differences of case, width and accents."""
    plain = unicodedata.normalize("NFKC", content).casefold()
    return _ACCENTED.sub(lambda letter: unicodedata.normalize("NFD", letter[0])[0], plain)


@lru_cache(maxsize=65536)
def _kind(character: str) -> str:
    """C: Chinese, Japanese, Korean; L: other letters, their marks; N: digits; S: emoji and the like; empty: none."""
    if _IS_CJK.match(character):
        return "C"
    category = unicodedata.category(character)[0]
    if category == "S":
        return "" if character.isascii() else "S"
    return {"L": "L", "M": "L", "N": "N"}.get(category, "")


def _width(run: str) -> int:
    return 2 if _IS_CJK.match(run) else 3


def _term(part: str) -> str:
    """A phrase for one part of a query, a prefix where its last run is shorter than a token; empty for nothing."""
    *before, last = list(_runs(part)) or [""]
    if not last:
        return ""
    full = max(1, len(last) - _width(last) + 1)
    words = [*(token for run in before for token in tokens(run)), *(last[at : at + _width(last)] for at in range(full))]
    return '"' + " ".join(words) + '"' + ("*" if len(last) < _width(last) else "")


def _source(connection: Connection, job_id: int) -> Row[tuple[int, int, str, str, str]]:
    return connection.execute(text(f"{_SOURCE} AND id = :id"), {"id": job_id}).one()


def _entry(row: Row[tuple[int, int, str, str, str]]) -> dict[str, object]:
    return {"id": row.id, "text": indexed(row.text, row.file_name), "own": f"u{row.owner_id} k{row.kind}"}
