-- Deletes the statistics of at most $2 days that were over before $1, and records that the host $3 did so. Returns how many
-- days. A day without statistics is frozen: it is not computed again.
WITH old AS (
    SELECT app_id, day, from_at, until_at FROM stat_days
    WHERE until_at <= $1 AND NOT expired
    ORDER BY app_id, day
    LIMIT $2
), gone AS (
    DELETE FROM stat_daily s USING old o WHERE s.app_id = o.app_id AND s.day = o.day
), gone_segments AS (
    DELETE FROM stat_segments s USING old o WHERE s.app_id = o.app_id AND s.day = o.day
), noted AS (
    INSERT INTO retention_drops (host, what, from_at, until_at, count)
    SELECT $3, 'statistics', min(from_at), max(until_at), count(*) FROM old
    HAVING count(*) > 0
), expired AS (
    UPDATE stat_days s SET expired = true, frozen_at = coalesce(s.frozen_at, now())
    FROM old o WHERE s.app_id = o.app_id AND s.day = o.day
)
SELECT count(*) FROM old
