-- Registers the follower $1, which has seen everything that is committed now, if it is not registered.
INSERT INTO followers (name, cluster, seen) VALUES ($1, $2, pg_current_snapshot())
ON CONFLICT (name) DO NOTHING
