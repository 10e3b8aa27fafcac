-- Deletes salts, at time $1, 48 hours after both the end of their day and their creation. A salt is kept longer only
-- while a known file may still contain unread lines of that day: a file that is not loaded to its end and has not
-- passed the day. Returns how many, and records the deletion as done by host $2.
WITH killed AS (
    UPDATE visitor_salts s
    SET salt = NULL
    WHERE s.salt IS NOT NULL
      AND greatest(s.day_ends_at, s.created_at) < $1 - interval '48 hours'
      AND NOT EXISTS (
          SELECT 1
          FROM checkpoints c
          JOIN log_files f ON f.id = c.file_id
          WHERE NOT c.sealed
            AND f.size_bytes > c.loaded_bytes
            AND coalesce(c.last_at, '-infinity') < s.day_ends_at)
    RETURNING s.day_ends_at
), noted AS (
    INSERT INTO retention_drops (host, what, from_at, until_at, count)
    SELECT $2, 'salts', min(day_ends_at) - interval '1 day', max(day_ends_at), count(*) FROM killed HAVING count(*) > 0
)
SELECT count(*) FROM killed
