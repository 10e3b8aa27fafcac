-- Statistics by application and local day, computed of the rows that are there.

-- Days of applications, written once by whoever sees a day first: the one truth of where a day begins and ends, whatever a
-- later version of the time zones says.
CREATE TABLE stat_days (
    app_id      integer NOT NULL,
    day         date NOT NULL,
    from_at     timestamptz NOT NULL,
    until_at    timestamptz NOT NULL,                   -- the first moment after it
    generation  bigint NOT NULL DEFAULT 0,              -- how often its statistics were replaced; 0: never
    folded_at   timestamptz,                            -- when they were last replaced
    rows        bigint NOT NULL DEFAULT 0,              -- of access_logs that they were computed of
    frozen_at   timestamptz,                            -- since when rows of it may be gone: its statistics stay
    rest_rows   bigint NOT NULL DEFAULT 0,              -- of a frozen day: rows in access_logs that are in its statistics
    frozen_rows bigint NOT NULL DEFAULT 0,              -- of a frozen day: rows in access_logs that are not
    expired     boolean NOT NULL DEFAULT false,         -- its statistics were deleted for their age
    PRIMARY KEY (app_id, day)
);

CREATE INDEX stat_days_beside ON stat_days (app_id) WHERE frozen_rows > 0;

-- Days whose rows have changed. Rows are added and deleted, never updated: whoever computes a day deletes the ids that it
-- read before it read the rows.
CREATE TABLE stat_dirty (
    app_id    integer NOT NULL,
    day       date NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    marked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, day, id)
);

-- Times whose rows have still to be read to know which days they are of, from the last to the first.
CREATE TABLE stat_backlog (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id   integer,                                   -- NULL: of all applications
    from_at  timestamptz NOT NULL,
    until_at timestamptz NOT NULL                       -- comes down to from_at
);

-- The statistics of a day: of each value of a dimension. The dimension total, with the value '', has the day's.
CREATE TABLE stat_daily (
    app_id        integer NOT NULL,
    day           date NOT NULL,
    value_hash    bigint NOT NULL,                      -- first 8 bytes of BLAKE3 of the whole value
    events        bigint NOT NULL,
    page_views    bigint NOT NULL,
    visitors      bigint NOT NULL,
    sessions      bigint NOT NULL,
    authenticated bigint NOT NULL,
    bounces       bigint NOT NULL,
    duration_ms   bigint NOT NULL,
    engaged_ms    bigint NOT NULL,
    timed_views    bigint NOT NULL,
    scrolled_views bigint NOT NULL,
    scroll_percent bigint NOT NULL,
    stray_ms      bigint NOT NULL,
    traffic_class text NOT NULL,
    dimension     text NOT NULL,
    value         text NOT NULL,                        -- at most 512 bytes
    PRIMARY KEY (app_id, day, traffic_class, dimension, value_hash)
);

COMMENT ON TABLE stat_days IS 'Local days of applications: their borders, and the state of their statistics.';
COMMENT ON COLUMN stat_days.app_id IS 'Application';
COMMENT ON COLUMN stat_days.day IS 'Day in the time zone of the application';
COMMENT ON COLUMN stat_days.from_at IS 'First moment of the day';
COMMENT ON COLUMN stat_days.until_at IS 'First moment after the day';
COMMENT ON COLUMN stat_days.generation IS 'How often its statistics were replaced; 0: never';
COMMENT ON COLUMN stat_days.folded_at IS 'When its statistics were last replaced';
COMMENT ON COLUMN stat_days.rows IS 'Rows of access_logs that its statistics were computed of';
COMMENT ON COLUMN stat_days.frozen_at IS 'Since when rows of it may be gone and its statistics stay; NULL: they follow the rows';
COMMENT ON COLUMN stat_days.rest_rows IS 'Of a frozen day: rows in access_logs that are in its statistics';
COMMENT ON COLUMN stat_days.frozen_rows IS 'Of a frozen day: rows in access_logs that are not in its statistics';
COMMENT ON COLUMN stat_days.expired IS 'Its statistics were deleted for their age';
COMMENT ON TABLE stat_dirty IS 'Days whose rows have changed since their statistics were computed.';
COMMENT ON COLUMN stat_dirty.app_id IS 'Application';
COMMENT ON COLUMN stat_dirty.day IS 'Day in the time zone of the application';
COMMENT ON COLUMN stat_dirty.id IS 'Number of the mark';
COMMENT ON COLUMN stat_dirty.marked_at IS 'When the change was seen';
COMMENT ON TABLE stat_backlog IS 'Times whose rows have still to be read to know of which days they are.';
COMMENT ON COLUMN stat_backlog.id IS 'Key';
COMMENT ON COLUMN stat_backlog.app_id IS 'Application; NULL: all applications';
COMMENT ON COLUMN stat_backlog.from_at IS 'Beginning of the time';
COMMENT ON COLUMN stat_backlog.until_at IS 'End of what is left of the time; it is read from its end';
COMMENT ON TABLE stat_daily IS 'Statistics of days: the counts of each value of a dimension. The dimension total has those of the day.';
COMMENT ON COLUMN stat_daily.app_id IS 'Application';
COMMENT ON COLUMN stat_daily.day IS 'Day in the time zone of the application';
COMMENT ON COLUMN stat_daily.value_hash IS 'First 8 bytes of BLAKE3 of the whole value';
COMMENT ON COLUMN stat_daily.events IS 'Rows except those of the types request and engagement';
COMMENT ON COLUMN stat_daily.page_views IS 'Page views';
COMMENT ON COLUMN stat_daily.visitors IS 'Visitors';
COMMENT ON COLUMN stat_daily.sessions IS 'Sessions';
COMMENT ON COLUMN stat_daily.authenticated IS 'Sessions with a user_id in one of their rows';
COMMENT ON COLUMN stat_daily.bounces IS 'Sessions with one page view and no other event';
COMMENT ON COLUMN stat_daily.duration_ms IS 'Durations of the sessions, milliseconds';
COMMENT ON COLUMN stat_daily.engaged_ms IS 'Time in which pages were visible, milliseconds';
COMMENT ON COLUMN stat_daily.timed_views IS 'Page views that report how long their page was visible';
COMMENT ON COLUMN stat_daily.scrolled_views IS 'Page views that report how far their page was scrolled';
COMMENT ON COLUMN stat_daily.scroll_percent IS 'Greatest depth of each of scrolled_views, percent, summed';
COMMENT ON COLUMN stat_daily.stray_ms IS 'Time that engagement without a page view reports, milliseconds; it is in no other count';
COMMENT ON COLUMN stat_daily.traffic_class IS 'Who sent it';
COMMENT ON COLUMN stat_daily.dimension IS 'What is counted by';
COMMENT ON COLUMN stat_daily.value IS 'Value of the dimension, at most 512 bytes';
