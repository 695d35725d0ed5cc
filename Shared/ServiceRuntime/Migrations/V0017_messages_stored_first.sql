-- Messages whose work waits for others are stored when they come, before they are worked on, so that no retention of their
-- topic can lose them. They stand where parked messages do, and end as those do.
ALTER TABLE parked_messages
    ADD COLUMN on_arrival boolean NOT NULL DEFAULT false,
    ALTER COLUMN first_seen DROP NOT NULL;
COMMENT ON COLUMN parked_messages.on_arrival IS 'stored when it came, before its first try';
COMMENT ON COLUMN parked_messages.first_seen IS 'its first try; null: none yet';

-- A few that are parked among many that were stored are counted when one more is; and the oldest of each kind is shown.
CREATE INDEX parked_messages_arrivals ON parked_messages (consumer, sequence) WHERE on_arrival;
CREATE INDEX parked_messages_others ON parked_messages (consumer) WHERE NOT on_arrival;
-- Every second claim takes one that was never tried, so that newcomers do not wait for a round of all that are postponed.
CREATE INDEX parked_messages_newcomers ON parked_messages (consumer, next_try) WHERE first_seen IS NULL;
-- Rows come, are claimed and go: room for a claim beside its row, and clearing up before much has gathered.
ALTER TABLE parked_messages SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
