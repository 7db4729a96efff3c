"""Full-text search for Chinese: a contentless FTS5 table fed with bigrams.

FTS5's own tokenisers fail here: unicode61 makes one token of a whole run of characters, and trigrams find no word
of two characters, which most Chinese words are. So every run of CJK characters is written as all its overlapping
pairs plus its last character, and a query is a phrase of pairs: exactly a substring search within runs.
A single character is a prefix query, for which FTS5 keeps an index of first characters (`prefix`).
The owner and the kind are tokens in a second column: joining many hits to `jobs` to find an owner's few is slow.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from sqlalchemy import Connection, Row, text

TOKENISER_VERSION = 1  # raise it when `tokens` changes: the index is then rebuilt at the next start
CREATE_INDEX = "CREATE VIRTUAL TABLE jobs_fts USING fts5(text, own, content='', tokenize='unicode61', prefix='1')"
MAX_TERMS = 16

_CJK = "々〇㐀-䶿一-鿿豈-龎ぁ-ゖァ-ヺーｦ-ﾝ가-힣\U00020000-\U0002fa1f"
_RUN = re.compile(f"[{_CJK}]+|[^\\W{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]")
_INSERT = text("INSERT INTO jobs_fts(rowid, text, own) VALUES (:id, :text, :own)")
_REMOVE = text("INSERT INTO jobs_fts(jobs_fts, rowid, text, own) VALUES ('delete', :id, :text, :own)")
_SOURCE = "SELECT id, owner_id, kind, file_name, text FROM jobs WHERE deleted_at IS NULL"


def tokens(content: str) -> Iterator[str]:
    """The index tokens of a text: pairs and last character of each CJK run, other words whole."""
    for run in _runs(content):
        if _IS_CJK.match(run):
            yield from (run[at : at + 2] for at in range(len(run)))
        else:
            yield run


def match_expression(query: str, owner_id: int | None, kind: str | None = None) -> str | None:
    """The FTS5 MATCH expression for a user's words (all must occur); None where nothing in them can be searched.

    Whatever the user typed arrives only inside quotes: FTS5's own syntax is not reachable.
    """
    terms = [_term(run) for run in _runs(query)][:MAX_TERMS]
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


def _runs(content: str) -> list[str]:
    return _RUN.findall(unicodedata.normalize("NFKC", content).casefold())


def _term(run: str) -> str:
    if not _IS_CJK.match(run) or len(run) == 1:
        return f'"{run}"*'
    return '"' + " ".join(run[at : at + 2] for at in range(len(run) - 1)) + '"'


def _source(connection: Connection, job_id: int) -> Row[tuple[int, int, str, str, str]]:
    return connection.execute(text(f"{_SOURCE} AND id = :id"), {"id": job_id}).one()


def _entry(row: Row[tuple[int, int, str, str, str]]) -> dict[str, object]:
    words = " ".join(tokens(f"{row.text}\n{row.file_name}"))
    return {"id": row.id, "text": words, "own": f"u{row.owner_id} k{row.kind}"}
