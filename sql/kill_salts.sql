-- Deletes salts, at time $1, 48 hours after both the end of their day and their creation. A salt is kept longer only
-- while a known file may still contain unread lines of that day (a file that is not loaded to its end and has not
-- passed the day), and never for more than 7 days. A time that a wrong clock wrote does not count: of a salt that was
-- created in the future, the day counts, and of a day in the far future, the creation. Returns how many, and records
-- the deletion as done by host $2.
WITH killed AS (
    UPDATE visitor_salts s
    SET salt = NULL
    -- The same condition as in overdue_salts.sql.
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
    RETURNING s.day_ends_at
), noted AS (
    INSERT INTO retention_drops (host, what, from_at, until_at, count)
    SELECT $2, 'salts', min(day_ends_at) - interval '1 day', max(day_ends_at), count(*) FROM killed HAVING count(*) > 0
)
SELECT count(*) FROM killed
