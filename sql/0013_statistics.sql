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
    bounces       bigint NOT NULL,
    duration_ms   bigint NOT NULL,
    engaged_ms    bigint NOT NULL,
    traffic_class text NOT NULL,
    dimension     text NOT NULL,
    value         text NOT NULL,                        -- at most 512 bytes
    PRIMARY KEY (app_id, day, traffic_class, dimension, value_hash)
);
