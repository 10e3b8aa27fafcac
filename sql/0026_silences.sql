-- Silences that end with the alerts that were open when they were made.
ALTER TABLE alert_silences ADD COLUMN until_resolved boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN alert_silences.until_resolved IS 'It ends earlier: once none of its alerts that were open when it was made is open';
