-- What changed that the snapshot $2 does not see (NULL: that the follower $1 has not seen): the snapshot of now, whether
-- the ledger has not kept what is needed ($3 is the system identifier), and by application and hour the first and the last
-- time of the events of its entries. All is of one statement, and so of one snapshot. Nothing is noted. No row: there is no
-- such follower.
WITH me AS (
    SELECT coalesce($2::text::pg_snapshot, seen) AS seen, missed OR cluster IS DISTINCT FROM $3 AS is_lost
    FROM followers WHERE name = $1
), changed AS (
    SELECT c.app_id, coalesce(c.hour, b.hours[1]) AS hour, min(b.first_at) AS first_at, max(b.last_at) AS last_at
    FROM me
    JOIN batches b ON b.xid >= pg_snapshot_xmin(me.seen) AND NOT pg_visible_in_snapshot(b.xid, me.seen)
    CROSS JOIN unnest(b.apps, b.hours) AS c (app_id, hour)
    GROUP BY 1, 2
)
SELECT pg_current_snapshot()::text,
       me.is_lost OR pg_snapshot_xmax(me.seen) > pg_snapshot_xmax(pg_current_snapshot()),
       c.app_id, c.hour, c.first_at, c.last_at
FROM me LEFT JOIN changed c ON true
ORDER BY c.app_id, c.hour
