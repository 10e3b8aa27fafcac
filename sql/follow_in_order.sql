-- Registers the follower $1, which reads in order what is committed from now on, if it is not registered.
INSERT INTO followers (name, cluster, position_xid, position_part)
VALUES ($1, $2, pg_snapshot_xmin(pg_current_snapshot()), 0)
ON CONFLICT (name) DO NOTHING
