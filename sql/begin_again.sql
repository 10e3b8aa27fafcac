-- Lets the follower $1 begin again with what is committed from now on, on the server $2.
UPDATE followers
SET seen = CASE WHEN seen IS NOT NULL THEN pg_current_snapshot() END,
    position_xid = CASE WHEN position_xid IS NOT NULL THEN pg_snapshot_xmin(pg_current_snapshot()) END,
    position_part = CASE WHEN position_xid IS NOT NULL THEN 0 END,
    cluster = $2, moved_at = now(), missed = false
WHERE name = $1
