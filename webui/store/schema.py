"""The tables. Moments are INTEGER unix milliseconds UTC; JSON columns hold plain objects.

The job table is the queue and the history at once: one row from submission to deletion. What of a row is wiped by a
deletion is marked here, column by column (`private`); `tombstones` reads the marks.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
    text,
)

from webui.store import states
from webui.store.notices import NoticeColumn, NoticesColumn
from webui.store.times import SecondsColumn, TimedWordsColumn

metadata = MetaData()


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(v) for v in values)})", name=f"ck_{column}_known")


def private(blank: Any = None) -> dict[str, Any]:
    """`info` of a column that holds what somebody entrusted to us: a deletion puts `blank` in its place."""
    return {"blank": blank}


owners = Table(
    "owners",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", String(64), unique=True),  # sha256 of the browser's cookie; NULL for `api` and `local`
    Column("name", String(64), unique=True),  # "api", "local" or NULL; accounts come later
    Column("vtime", Float, nullable=False, server_default="0"),  # seconds of service, start-time fair queueing
    Column("weight", Float, nullable=False, server_default="1"),
    Column("created_at", Integer, nullable=False),
    Column("last_seen", Integer, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(32), nullable=False, unique=True),  # the only id the outside sees
    Column("owner_id", ForeignKey("owners.id"), nullable=False),
    Column("batch", String(32)),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("stage", String(16), nullable=False, server_default="prepare"),  # prepare | work: which worker may claim
    Column("priority", Integer, nullable=False, server_default="0"),  # 10 interactive, 0 batch
    Column("idempotency_key", String(200), info=private()),
    Column("params", JSON, nullable=False, info=private({})),  # frozen at submission, model and revision resolved
    Column("model", String(200), nullable=False),
    Column("model_revision", String(64), nullable=False, server_default=""),
    Column("device", String(32), nullable=False, server_default="auto"),  # asked for; "auto" = any worker
    Column("devices", JSON, nullable=False, server_default="{}"),  # stage → device
    Column("file_name", String(255), nullable=False, server_default="", info=private("")),
    Column("input_sha256", String(64), info=private()),
    Column("input_bytes", Integer),
    Column("duration_ms", Integer),
    Column("voice_id", ForeignKey("voices.id", ondelete="SET NULL"), info=private()),
    Column("language", String(16)),
    Column("text", Text, nullable=False, server_default="", info=private("")),
    Column("text_raw", Text, nullable=False, server_default="", info=private("")),
    Column("warnings", NoticesColumn, nullable=False, server_default="[]", info=private([])),
    Column("error", NoticeColumn, info=private()),
    Column("seg_total", Integer),
    Column("seg_done", Integer, nullable=False, server_default="0"),
    Column("seg_failed", Integer, nullable=False, server_default="0"),  # failed or skipped
    Column("work_ms", Integer, nullable=False, server_default="0"),  # spent by device workers, for the estimate
    Column("prepare_progress", Float, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),  # claims since the last progress
    Column("lease_epoch", Integer, nullable=False, server_default="0"),
    Column("lease_boot", String(64)),
    Column("cancel_requested_at", Integer),
    Column("version", Integer, nullable=False, server_default="0"),  # the change sequence, for /changes
    Column("created_at", Integer, nullable=False),
    Column("started_at", Integer),
    Column("finished_at", Integer),
    Column("deleted_at", Integer),
    _one_of("kind", states.JOB_KINDS),
    _one_of("state", states.JOB_STATES),
)
_ALIVE = text("deleted_at IS NULL")
_NEWEST = (jobs.c.created_at.desc(), jobs.c.id.desc())
Index("jobs_newest", *_NEWEST, sqlite_where=_ALIVE)
Index("jobs_state_newest", jobs.c.state, *_NEWEST, sqlite_where=_ALIVE)
Index("jobs_kind_newest", jobs.c.kind, *_NEWEST, sqlite_where=_ALIVE)
Index("jobs_owner_newest", jobs.c.owner_id, *_NEWEST, sqlite_where=_ALIVE)
Index("jobs_owner_state", jobs.c.owner_id, jobs.c.state, *_NEWEST, sqlite_where=_ALIVE)
Index("jobs_owner_kind", jobs.c.owner_id, jobs.c.kind, *_NEWEST, sqlite_where=_ALIVE)
# Written with literals, for a partial index is only used where the query holds its very condition.
IS_QUEUED = jobs.c.state == literal_column(repr(states.QUEUED))
IS_OPEN = jobs.c.state.in_([literal_column(repr(state)) for state in states.OPEN_STATES])
Index("jobs_queue", jobs.c.stage, jobs.c.owner_id, jobs.c.priority.desc(), jobs.c.id, sqlite_where=IS_QUEUED)
Index("jobs_open", jobs.c.owner_id, jobs.c.state, sqlite_where=IS_OPEN)
Index("jobs_owner_changes", jobs.c.owner_id, jobs.c.version)
Index("jobs_changes", jobs.c.version, jobs.c.owner_id)
Index("jobs_batch", jobs.c.batch, sqlite_where=text("batch IS NOT NULL"))
Index(
    "jobs_idempotency",
    jobs.c.owner_id,
    jobs.c.idempotency_key,
    unique=True,
    sqlite_where=text("idempotency_key IS NOT NULL"),
)

segments = Table(
    "segments",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("channel", Integer, nullable=False, server_default="0"),
    Column("start_ms", SecondsColumn, key="start", nullable=False),
    Column("end_ms", SecondsColumn, key="end", nullable=False),
    Column("state", String(16), nullable=False, server_default=states.PENDING),
    Column("source", Text, nullable=False, server_default=""),  # the sentence to say, where the text was given
    Column("text_raw", Text, nullable=False, server_default=""),
    Column("text", Text, nullable=False, server_default=""),
    Column("words", TimedWordsColumn, nullable=False, server_default="[]"),
    Column("language", String(16)),
    Column("speaker", String(64)),
    Column("confidence", Float),
    Column("attempt", Integer, nullable=False, server_default="0"),  # times begun and not ended: crashes
    Column("device", String(32)),
    Column("took_ms", SecondsColumn, key="took"),
    Column("error_code", String(64)),
    Column("edited_text", Text),
    Column("version", Integer, nullable=False, server_default="0"),  # of the edit, for 409
    Column("change", Integer, nullable=False, server_default="0"),  # the change sequence, for segments?after=
    _one_of("state", states.SEGMENT_STATES),
    sqlite_with_rowid=False,
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("role", String(16), nullable=False),  # input | playable | output | segment
    Column("path", String(255), nullable=False),  # relative to data/
    Column("sha256", String(64)),
    Column("bytes", Integer),
    Column("mime", String(64)),
    Column("produce_id", String(64)),  # the AIGC label's ProduceID
    Column("created_at", Integer, nullable=False),
)
Index("artifacts_job", artifacts.c.job_id, artifacts.c.role)

voices = Table(
    "voices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(32), nullable=False, unique=True),
    Column("owner_id", ForeignKey("owners.id"), nullable=False),
    Column("name", String(100), nullable=False, info=private("")),
    Column("transcript", Text, nullable=False, server_default="", info=private("")),
    Column("prompt_path", String(255), nullable=False),  # relative to data/
    Column("prompt_sha256", String(64), nullable=False),  # of the bytes the model opens
    Column("seconds", Float, nullable=False),
    Column("findings", NoticesColumn, nullable=False, server_default="[]"),  # about the prompt
    Column("shared", Boolean, nullable=False, server_default="0"),
    Column("saved", Boolean, nullable=False, server_default="1"),  # 0: made for one job (a prompt given with it)
    Column("created_at", Integer, nullable=False),
    Column("deleted_at", Integer),
)
Index("voices_owner_name", voices.c.owner_id, voices.c.name)

hotword_lists = Table(
    "hotword_lists",
    metadata,
    Column("owner_id", ForeignKey("owners.id"), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("words", JSON, nullable=False),
    Column("changed_at", Integer, nullable=False),
)

voice_consents = Table(
    "voice_consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("voice_id", ForeignKey("voices.id"), nullable=False),
    Column("basis", String(16), nullable=False),  # self | written | recorded
    Column("subject", String(200), nullable=False),
    Column("evidence", Text, nullable=False, server_default=""),
    Column("recorded_by", Integer, nullable=False),
    Column("obtained_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("revoked_at", Integer),
    _one_of("basis", ("self", "written", "recorded")),
)

voice_features = Table(
    "voice_features",
    metadata,
    Column("voice_id", ForeignKey("voices.id", ondelete="CASCADE"), primary_key=True),
    Column("engine", String(32), primary_key=True),
    Column("revision", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),  # VoiceFeatures.to_bytes()
    Column("created_at", Integer, nullable=False),
)

settings = Table(  # what an administrator changes on the System tab: default models, device; the tokeniser version
    "settings",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("owner_id", Integer),
    Column("action", String(64), nullable=False),
    Column("object", String(64), nullable=False, server_default=""),
    Column("detail", JSON, nullable=False, server_default="{}"),
)

# jobs_fts (FTS5, contentless, columns text and own) is made by the first migration: SQLAlchemy has no construct for it.
