-- Events that the broker refuses for good stand in dead_letters with the reason; the relay passes them by.
ALTER TABLE outbox ADD COLUMN refused_at timestamptz;
DROP INDEX outbox_unpublished;
CREATE INDEX outbox_unpublished ON outbox (sequence) WHERE published_at IS NULL AND refused_at IS NULL;
