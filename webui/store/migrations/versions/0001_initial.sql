CREATE TABLE audit (
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    owner_id INTEGER,
    action VARCHAR(64) NOT NULL,
    object VARCHAR(64) DEFAULT '' NOT NULL,
    detail JSON DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE counters (
    name VARCHAR(32) NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE owners (
    id INTEGER NOT NULL,
    token_hash VARCHAR(64),
    name VARCHAR(64),
    vtime FLOAT DEFAULT '0' NOT NULL,
    weight FLOAT DEFAULT '1' NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (token_hash),
    UNIQUE (name)
);

CREATE TABLE settings (
    "key" VARCHAR(64) NOT NULL,
    value JSON NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE voices (
    id INTEGER NOT NULL,
    uid VARCHAR(32) NOT NULL,
    owner_id INTEGER NOT NULL,
    name VARCHAR(100) NOT NULL,
    transcript TEXT DEFAULT '' NOT NULL,
    prompt_path VARCHAR(255) NOT NULL,
    prompt_sha256 VARCHAR(64) NOT NULL,
    seconds FLOAT NOT NULL,
    findings JSON DEFAULT '[]' NOT NULL,
    shared BOOLEAN DEFAULT '0' NOT NULL,
    saved BOOLEAN DEFAULT '1' NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE (uid),
    FOREIGN KEY(owner_id) REFERENCES owners (id)
);

CREATE INDEX voices_owner_name ON voices (owner_id, name);

CREATE TABLE hotword_lists (
    owner_id INTEGER NOT NULL,
    name VARCHAR(100) NOT NULL,
    words JSON NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (owner_id, name),
    FOREIGN KEY(owner_id) REFERENCES owners (id)
);

CREATE TABLE jobs (
    id INTEGER NOT NULL,
    uid VARCHAR(32) NOT NULL,
    owner_id INTEGER NOT NULL,
    batch VARCHAR(32),
    kind VARCHAR(16) NOT NULL,
    state VARCHAR(16) NOT NULL,
    stage VARCHAR(16) DEFAULT 'prepare' NOT NULL,
    priority INTEGER DEFAULT '0' NOT NULL,
    idempotency_key VARCHAR(200),
    params JSON NOT NULL,
    model VARCHAR(200) NOT NULL,
    model_revision VARCHAR(64) DEFAULT '' NOT NULL,
    device VARCHAR(32) DEFAULT 'auto' NOT NULL,
    devices JSON DEFAULT '{}' NOT NULL,
    file_name VARCHAR(255) DEFAULT '' NOT NULL,
    input_sha256 VARCHAR(64),
    input_bytes INTEGER,
    duration_ms INTEGER,
    voice_id INTEGER,
    language VARCHAR(16),
    text TEXT DEFAULT '' NOT NULL,
    text_raw TEXT DEFAULT '' NOT NULL,
    warnings JSON DEFAULT '[]' NOT NULL,
    error JSON,
    seg_total INTEGER,
    seg_done INTEGER DEFAULT '0' NOT NULL,
    seg_failed INTEGER DEFAULT '0' NOT NULL,
    work_ms INTEGER DEFAULT '0' NOT NULL,
    prepare_progress FLOAT DEFAULT '0' NOT NULL,
    attempt INTEGER DEFAULT '0' NOT NULL,
    lease_epoch INTEGER DEFAULT '0' NOT NULL,
    lease_boot VARCHAR(64),
    cancel_requested_at INTEGER,
    version INTEGER DEFAULT '0' NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    deleted_at INTEGER,
    PRIMARY KEY (id),
    CONSTRAINT ck_kind_known CHECK (kind IN ('transcribe', 'speak', 'convert')),
    CONSTRAINT ck_state_known CHECK (state IN ('queued', 'running', 'cancelling', 'done', 'partial', 'failed', 'cancelled', 'expired')),
    UNIQUE (uid),
    FOREIGN KEY(owner_id) REFERENCES owners (id),
    FOREIGN KEY(voice_id) REFERENCES voices (id) ON DELETE SET NULL
);

CREATE INDEX jobs_batch ON jobs (batch) WHERE batch IS NOT NULL;

CREATE INDEX jobs_changes ON jobs (version, owner_id);

CREATE UNIQUE INDEX jobs_idempotency ON jobs (owner_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX jobs_kind_newest ON jobs (kind, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE INDEX jobs_newest ON jobs (created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE INDEX jobs_open ON jobs (owner_id, state) WHERE state IN ('queued', 'running', 'cancelling');

CREATE INDEX jobs_owner_changes ON jobs (owner_id, version);

CREATE INDEX jobs_owner_kind ON jobs (owner_id, kind, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE INDEX jobs_owner_newest ON jobs (owner_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE INDEX jobs_owner_state ON jobs (owner_id, state, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE INDEX jobs_queue ON jobs (stage, owner_id, priority DESC, id) WHERE state = 'queued';

CREATE INDEX jobs_state_newest ON jobs (state, created_at DESC, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE voice_consents (
    id INTEGER NOT NULL,
    voice_id INTEGER NOT NULL,
    basis VARCHAR(16) NOT NULL,
    subject VARCHAR(200) NOT NULL,
    evidence TEXT DEFAULT '' NOT NULL,
    recorded_by INTEGER NOT NULL,
    obtained_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (id),
    CONSTRAINT ck_basis_known CHECK (basis IN ('self', 'written', 'recorded')),
    FOREIGN KEY(voice_id) REFERENCES voices (id)
);

CREATE TABLE voice_features (
    voice_id INTEGER NOT NULL,
    engine VARCHAR(32) NOT NULL,
    revision VARCHAR(64) NOT NULL,
    data BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (voice_id, engine, revision),
    FOREIGN KEY(voice_id) REFERENCES voices (id) ON DELETE CASCADE
);

CREATE TABLE artifacts (
    id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    role VARCHAR(16) NOT NULL,
    path VARCHAR(255) NOT NULL,
    sha256 VARCHAR(64),
    bytes INTEGER,
    mime VARCHAR(64),
    produce_id VARCHAR(64),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE INDEX artifacts_job ON artifacts (job_id, role);

CREATE TABLE segments (
    job_id INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    channel INTEGER DEFAULT '0' NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    state VARCHAR(16) DEFAULT 'pending' NOT NULL,
    source TEXT DEFAULT '' NOT NULL,
    text_raw TEXT DEFAULT '' NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    words JSON DEFAULT '[]' NOT NULL,
    language VARCHAR(16),
    speaker VARCHAR(64),
    confidence FLOAT,
    attempt INTEGER DEFAULT '0' NOT NULL,
    device VARCHAR(32),
    took_ms INTEGER,
    error_code VARCHAR(64),
    edited_text TEXT,
    version INTEGER DEFAULT '0' NOT NULL,
    change INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (job_id, idx),
    CONSTRAINT ck_state_known CHECK (state IN ('pending', 'done', 'failed', 'skipped')),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE VIRTUAL TABLE jobs_fts USING fts5(text, own, content='', tokenize='unicode61', prefix='1');

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit log is append-only'); END;

INSERT INTO counters (name, value) VALUES ('change', 0);
