-- What deleting by age goes by, and what it has deleted. A clock that steps forward must delete nothing.

-- The times at which upkeep found the clock right, one row a host. Upkeep refuses a time that lies more than a day beyond
-- all of them: of the same start of the machine (boot_id), what CLOCK_BOOTTIME says that has passed since is added.
CREATE TABLE retention_clock (
    host        text PRIMARY KEY,
    boot_id     text,                                   -- NULL: the time is not from a machine of which that is known
    uptime_us   bigint,                                 -- CLOCK_BOOTTIME of that machine at first_at
    first_at    timestamptz NOT NULL,                   -- when the clock was found right first since the machine started
    last_at     timestamptz NOT NULL,                   -- when it was found right last
    quiet_since timestamptz                             -- since when that lies more than a day behind the newest commit
);
INSERT INTO retention_clock (host, first_at, last_at) VALUES ('', now(), now());

-- What a person has said by `alt retention confirm`.
CREATE TABLE retention_words (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    said_at     timestamptz NOT NULL DEFAULT now(),
    host        text NOT NULL,
    today       date,                                   -- what day it is
    drop_before date                                    -- months before this one may go, however many
);

-- What was deleted for its age: the newest 100,000.
CREATE TABLE retention_drops (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dropped_at timestamptz NOT NULL DEFAULT now(),
    host       text NOT NULL,                           -- whose daemon, or command
    what       text NOT NULL,                           -- rows, salts, rejects, log, object
    name       text,                                    -- of the partition, the file, the object
    from_at    timestamptz,                             -- of when it was
    until_at   timestamptz,
    count      bigint                                   -- of rows (as PostgreSQL estimates them), salts, spans of rejects
);
