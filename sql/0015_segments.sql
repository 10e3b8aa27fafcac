-- Segments: the events of a day as packed columns, for questions with filters.

CREATE TABLE stat_segments (
    app_id     integer NOT NULL,
    day        date NOT NULL,
    part       integer NOT NULL,                        -- a day has one or several, from 0
    generation bigint NOT NULL,                         -- of stat_days, when it was written
    definition smallint NOT NULL,                       -- the version of the definitions by which it was made
    data       bytea NOT NULL,                          -- packed already
    PRIMARY KEY (app_id, day, part)
);

ALTER TABLE stat_segments ALTER COLUMN data SET STORAGE EXTERNAL;

-- The segments of a day that goes on are written again only now and then: when, of which generation, and of how many rows.
ALTER TABLE stat_days
    ADD COLUMN segments_at timestamptz,
    ADD COLUMN segments_generation bigint NOT NULL DEFAULT 0,
    ADD COLUMN segments_rows bigint NOT NULL DEFAULT 0;

-- Days whose segments are older than their statistics.
CREATE INDEX stat_days_segments ON stat_days (until_at)
    WHERE segments_at IS NOT NULL AND segments_generation < generation AND frozen_at IS NULL;

COMMENT ON TABLE stat_segments IS 'Events of days as packed columns, without addresses and visitor identifiers: for questions with filters.';
COMMENT ON COLUMN stat_segments.app_id IS 'Application';
COMMENT ON COLUMN stat_segments.day IS 'Day in the time zone of the application';
COMMENT ON COLUMN stat_segments.part IS 'Number of the segment within its day, from 0';
COMMENT ON COLUMN stat_segments.generation IS 'stat_days.generation when it was written';
COMMENT ON COLUMN stat_segments.definition IS 'Version of the definitions by which it was made';
COMMENT ON COLUMN stat_segments.data IS 'The segment';
COMMENT ON COLUMN stat_days.segments_at IS 'When its segments were last written; NULL: never';
COMMENT ON COLUMN stat_days.segments_generation IS 'Generation of the statistics of which its segments are';
COMMENT ON COLUMN stat_days.segments_rows IS 'Rows of access_logs of which its segments are';
