-- The ledger of what changed in access_logs, for all that follows its rows: statistics, alerts, outputs.

-- One row for each file of a transaction that adds rows, and for each application of one that takes rows out. It is
-- written in that transaction, so that whoever sees it sees the change. Columns from wide to narrow: one is written with
-- each batch.
CREATE TABLE batches (
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    from_offset bigint,                                 -- the lines of the rows lie in these bytes of the file
    to_offset   bigint,
    first_at    timestamptz NOT NULL,                   -- of the events
    last_at     timestamptz NOT NULL,
    entered_at  timestamptz NOT NULL DEFAULT now(),
    part        integer NOT NULL,                       -- its number among those of the transaction
    file_id     integer,                                -- NULL: rows of any file
    rows        bigint,                                 -- NULL: not counted
    kind        text NOT NULL,                          -- rows (added), removed (unloaded), expired (retention)
    apps        integer[] NOT NULL,                     -- apps[i] has rows in hours[i] (UTC hours since 1970);
    hours       integer[] NOT NULL,                     -- with one hour: all of apps have rows in it
    offsets     bigint[],                               -- where the lines begin; NULL: all rows that lie in the bytes
    PRIMARY KEY (xid, part)
);

-- Who reads the ledger, and how far. One that reads it as a set has seen a snapshot; one that reads it in order has a
-- position.
CREATE TABLE followers (
    name          text PRIMARY KEY,
    cluster       bigint,                               -- system identifier of the server that the numbers are of
    seen          pg_snapshot,
    position_xid  xid8,
    position_part integer,
    moved_at      timestamptz NOT NULL DEFAULT now(),
    missed        boolean NOT NULL DEFAULT false        -- something that it had not read is no longer there
);
