-- Counts of slots as bytes, the slots of a minute in one row (crates/alerts/src/packed.rs). Rows of earlier versions have
-- one slot each, in counts. What is not judged yet is not stored any more.

ALTER TABLE alert_buckets ADD COLUMN packed bytea;
ALTER TABLE alert_buckets ALTER COLUMN counts SET DEFAULT '{}';
DELETE FROM alert_buckets b USING alert_apps j
WHERE j.app_id = b.app_id AND b.at >= date_trunc('minute', j.judged_at, 'UTC');

COMMENT ON COLUMN alert_buckets.at IS 'Beginning of the minute, or of the longer slot';
COMMENT ON COLUMN alert_buckets.seconds IS 'Length of the slots: 5, 60 or 3600';
COMMENT ON COLUMN alert_buckets.counts IS 'What versions before 21 of the schema counted in the slot';
COMMENT ON COLUMN alert_buckets.packed IS 'What was counted in each slot, in bytes; NULL: see counts';

-- These rows change often, and no column of an index does.
ALTER TABLE alert_apps SET (fillfactor = 50);
ALTER TABLE alert_sources SET (fillfactor = 50);

-- More reasons for which messages are held, messages about several alerts, and silences of certain hours of the week.
ALTER TABLE alert_outbox ADD COLUMN group_key text;
ALTER TABLE alert_outbox DROP CONSTRAINT alert_outbox_state_check;
ALTER TABLE alert_outbox ADD CONSTRAINT alert_outbox_state_check
    CHECK (state IN ('due', 'silenced', 'flapping', 'late', 'inhibited', 'grouped', 'sent', 'dead', 'moved', 'dropped', 'digested'));
DROP INDEX alert_outbox_held;
CREATE INDEX alert_outbox_held ON alert_outbox (channel)
    WHERE state IN ('silenced', 'flapping', 'late', 'inhibited', 'grouped');
CREATE INDEX alert_outbox_group ON alert_outbox (group_key, channel) WHERE group_key IS NOT NULL;
ALTER TABLE alert_silences ADD COLUMN weekly text;
ALTER TABLE alert_silences ADD COLUMN zone text;

COMMENT ON COLUMN alert_outbox.group_key IS 'What is equal in alerts that one message tells of; NULL: it tells of one';
COMMENT ON COLUMN alert_outbox.state IS 'due; held (silenced, flapping, late, inhibited, grouped); or done (sent, dead, moved, dropped, digested)';
COMMENT ON COLUMN alert_outbox.digest IS 'Number of the message that told of it among others';
COMMENT ON COLUMN alert_transitions.kind IS 'firing, repeated, escalated, acknowledged, resolved, corrected or superseded';
COMMENT ON COLUMN alert_silences.weekly IS 'Only in these windows of the week; NULL: all the time';
COMMENT ON COLUMN alert_silences.zone IS 'Time zone of weekly';
