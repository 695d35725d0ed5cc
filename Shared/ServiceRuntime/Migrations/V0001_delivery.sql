-- Delivery: what makes a message's effects happen exactly once.

-- One row for each event that a consumer has finished with. A conflict means "already done".
CREATE TABLE inbox (
    consumer    text        NOT NULL,
    event_id    text        NOT NULL,
    topic       text        NOT NULL,
    partition   integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);

-- Events to publish, written in the transaction that caused them and sent in order of sequence.
CREATE TABLE outbox (
    sequence     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     text        NOT NULL UNIQUE,
    topic        text        NOT NULL,
    key          text        NOT NULL,
    type         text        NOT NULL,
    source       text        NOT NULL,
    subject      text,
    time         timestamptz NOT NULL,
    payload      text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (sequence) WHERE published_at IS NULL;
CREATE INDEX outbox_topic ON outbox (topic);

-- Messages that cannot be processed, with the bytes as they came.
CREATE TABLE dead_letters (
    id            text        PRIMARY KEY,
    consumer      text        NOT NULL,
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    "offset"      bigint      NOT NULL,
    key           bytea,
    payload       bytea,
    headers       jsonb       NOT NULL,
    cause_code    text        NOT NULL,
    cause_message text        NOT NULL,
    attempts      integer     NOT NULL,
    failed_at     timestamptz NOT NULL DEFAULT now(),
    replayed_at   timestamptz
);
CREATE INDEX dead_letters_by_time ON dead_letters (failed_at);

-- Work that one process at a time may hold. The token fences a holder that lost its lease.
CREATE TABLE leases (
    name       text        PRIMARY KEY,
    holder     text        NOT NULL,
    token      bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);
