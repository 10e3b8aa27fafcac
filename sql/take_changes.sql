-- What changed that the follower $1 has not seen, by application and hour with the first and the last time of the events
-- of its entries, and notes that it has seen it. Both are of one statement, and so of
-- one snapshot. What retention dropped names no applications here: what was derived of it
-- stays.
WITH me AS (
    SELECT seen FROM followers WHERE name = $1
), changed AS (
    SELECT c.app_id, coalesce(c.hour, b.hours[1]) AS hour, min(b.first_at) AS first_at, max(b.last_at) AS last_at
    FROM me
    JOIN batches b ON b.xid >= pg_snapshot_xmin(me.seen) AND NOT pg_visible_in_snapshot(b.xid, me.seen)
    CROSS JOIN unnest(b.apps, b.hours) AS c (app_id, hour)
    GROUP BY 1, 2
), moved AS (
    UPDATE followers SET seen = pg_current_snapshot(), moved_at = now() WHERE name = $1
)
SELECT app_id, hour, first_at, last_at FROM changed ORDER BY app_id, hour
