-- Salts die 48 hours after their day has ended and they were made; later only while a known file still owes
-- lines of that day: one that is not loaded to its end and had not passed the day.
UPDATE visitor_salts s
SET salt = NULL
WHERE s.salt IS NOT NULL
  AND greatest(s.day_ends_at, s.created_at) < now() - interval '48 hours'
  AND NOT EXISTS (
      SELECT 1
      FROM checkpoints c
      JOIN log_files f ON f.id = c.file_id
      WHERE NOT c.sealed
        AND f.size_bytes > c.loaded_bytes
        AND coalesce(c.last_at, '-infinity') < s.day_ends_at)
