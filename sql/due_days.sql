-- At most $4 days that are to be computed now, those that have waited longest first: a day that is not over if its
-- statistics are older than $1; one that is over if it was not marked for $2, or has waited for $3 (microseconds). A day
-- whose segments are older than its statistics is computed although it is not marked: if it is over, or if it has at most
-- $6 rows and its segments are older than $5.
SELECT d.app_id, d.day::text
FROM (SELECT app_id, day, min(marked_at) AS first_at, max(marked_at) AS last_at FROM stat_dirty GROUP BY app_id, day
      UNION ALL
      SELECT o.app_id, o.day, o.until_at, o.until_at FROM stat_days o
      WHERE o.segments_at IS NOT NULL AND o.segments_generation < o.generation AND o.frozen_at IS NULL
        AND (o.until_at <= clock_timestamp()
             OR (o.rows <= $6 AND o.segments_at <= clock_timestamp() - $5::bigint * interval '1 microsecond'))
        AND NOT EXISTS (SELECT FROM stat_dirty m WHERE m.app_id = o.app_id AND m.day = o.day)) d
JOIN stat_days s USING (app_id, day)
WHERE CASE WHEN s.until_at > clock_timestamp()
           THEN coalesce(s.folded_at, '-infinity') <= clock_timestamp() - $1::bigint * interval '1 microsecond'
           ELSE d.last_at <= clock_timestamp() - $2::bigint * interval '1 microsecond'
             OR d.first_at <= clock_timestamp() - $3::bigint * interval '1 microsecond' END
ORDER BY d.first_at, d.app_id, d.day
LIMIT $4
