-- Notes that a daemon runs: $1 host, $2 path of its configuration, $3 version, $4 number of sources, $5 for how many seconds
-- it has been running, $6 by how many seconds it is behind.
INSERT INTO daemons (host, config, version, sources, started_at, seen_at, lag)
VALUES ($1, $2, $3, $4, now() - $5 * interval '1 second', now(), $6)
ON CONFLICT (host, config) DO UPDATE
SET version = excluded.version, sources = excluded.sources, started_at = excluded.started_at,
    seen_at = excluded.seen_at, ended_at = NULL, lag = excluded.lag
