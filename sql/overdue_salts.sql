-- The salts that should have been deleted at time $1, one row an application: at most $2.
SELECT a.app_key, count(*) AS salts, min(s.day)::text AS first_day, max(s.day)::text AS last_day
FROM visitor_salts s
LEFT JOIN applications a ON a.id = s.app_id
-- The same condition as in alt_kill_salts (0010_roles.sql).
WHERE s.salt IS NOT NULL
  AND CASE WHEN s.day_ends_at > $1 + interval '60 days' AND s.created_at > $1 + interval '2 days' THEN '-infinity'
           WHEN s.day_ends_at > $1 + interval '60 days' THEN s.created_at
           WHEN s.created_at > $1 + interval '2 days' THEN s.day_ends_at
           ELSE greatest(s.day_ends_at, s.created_at)
      END < $1 - CASE WHEN EXISTS (
          SELECT 1
          FROM checkpoints c
          JOIN log_files f ON f.id = c.file_id
          WHERE NOT c.sealed
            AND f.size_bytes > c.loaded_bytes
            AND coalesce(c.last_at, '-infinity') < s.day_ends_at)
      THEN interval '7 days' ELSE interval '48 hours' END
GROUP BY a.app_key
ORDER BY min(s.day_ends_at), a.app_key
LIMIT $2
