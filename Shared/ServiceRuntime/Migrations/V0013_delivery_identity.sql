-- An event is recognised by its source and its id on its topic, as CloudEvents has it, and by a digest of its body: another
-- body under the same id is refused, no duplicate. Rows from before have no source; they stand for every event of their
-- topic and id, whatever its source and body, as they did when they were written.
ALTER TABLE inbox
    ADD COLUMN source text NOT NULL DEFAULT '',
    ADD COLUMN digest bytea;
ALTER TABLE inbox DROP CONSTRAINT inbox_pkey;
ALTER TABLE inbox ADD PRIMARY KEY (consumer, event_id, topic, source);
COMMENT ON COLUMN inbox.source IS
    'the event''s source, its SHA-256 where it is long; empty: written before sources were, or no event (a dead letter)';
COMMENT ON COLUMN inbox.digest IS 'SHA-256 of the body; null where the source is empty';

-- Events that a worker has begun and not ended. What ends its process is left here, and is given up after some tries.
CREATE TABLE work_begun (
    consumer text        NOT NULL,
    event_id text        NOT NULL,
    topic    text        NOT NULL,
    source   text        NOT NULL,
    tries    integer     NOT NULL DEFAULT 1,
    last_try timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id, topic, source)
);
COMMENT ON COLUMN work_begun.tries IS 'tries whose process ended before they did, and those under way';

-- No query reads by topic.
DROP INDEX outbox_topic;

-- Messages that have waited long, taken off their topic so that they hold up nothing but their own key, and those of
-- their key that came after them.
CREATE TABLE parked_messages (
    sequence      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer      text        NOT NULL,
    topic         text        NOT NULL,
    partition     integer     NOT NULL,
    "offset"      bigint      NOT NULL,
    key           bytea,
    -- SHA-256 of the key, which may be longer than an index takes. Null without a key: no order to keep.
    lane          bytea,
    payload       bytea,
    headers       jsonb       NOT NULL,
    sent_at       timestamptz,
    first_seen    timestamptz NOT NULL,
    parked_at     timestamptz NOT NULL DEFAULT now(),
    tries         integer     NOT NULL,
    next_try      timestamptz NOT NULL,
    reason        text        NOT NULL,
    -- One process at a time works on a message; where it dies, its claim expires.
    claimed_by    text,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX parked_messages_lanes ON parked_messages (consumer, topic, lane, sequence);
CREATE INDEX parked_messages_due ON parked_messages (consumer, next_try);
COMMENT ON COLUMN parked_messages.tries IS 'failed tries so far';
COMMENT ON COLUMN parked_messages.reason IS 'what it waits for, or how its last try failed';
