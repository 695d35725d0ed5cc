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
