-- Counts that the daemon ended in a line: $1 file, $2 offset. Only if the line was recorded before and is not loaded.
-- Returns the new count.
UPDATE suspects s
SET deaths = s.deaths + 1, noted_at = now()
FROM checkpoints c
WHERE s.file_id = $1 AND s.file_offset = $2 AND c.file_id = s.file_id AND c.loaded_bytes <= s.file_offset
RETURNING s.deaths
