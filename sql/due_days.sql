-- At most $4 days that are to be computed now, those that have waited longest first: a day that is not over if its
-- statistics are older than $1; one that is over if it was not marked for $2, or has waited for $3 (microseconds).
SELECT d.app_id, d.day::text
FROM (SELECT app_id, day, min(marked_at) AS first_at, max(marked_at) AS last_at FROM stat_dirty GROUP BY app_id, day) d
JOIN stat_days s USING (app_id, day)
WHERE CASE WHEN s.until_at > clock_timestamp()
           THEN coalesce(s.folded_at, '-infinity') <= clock_timestamp() - $1::bigint * interval '1 microsecond'
           ELSE d.last_at <= clock_timestamp() - $2::bigint * interval '1 microsecond'
             OR d.first_at <= clock_timestamp() - $3::bigint * interval '1 microsecond' END
ORDER BY d.first_at, d.app_id, d.day
LIMIT $4
