-- What changed that the follower $1 has not seen, and notes that it has seen it. Both are of one statement, and so of
-- one snapshot. What retention dropped names no applications here: what was derived of it
-- stays.
WITH me AS (
    SELECT seen FROM followers WHERE name = $1
), changed AS (
    SELECT DISTINCT c.app_id, coalesce(c.hour, b.hours[1]) AS hour
    FROM me
    JOIN batches b ON b.xid >= pg_snapshot_xmin(me.seen) AND NOT pg_visible_in_snapshot(b.xid, me.seen)
    CROSS JOIN unnest(b.apps, b.hours) AS c (app_id, hour)
), moved AS (
    UPDATE followers SET seen = pg_current_snapshot(), moved_at = now() WHERE name = $1
)
SELECT app_id, hour FROM changed ORDER BY app_id, hour
