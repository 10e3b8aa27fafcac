-- The daemon ended in a line: $1 file, $2 offset. Only where the line was entered before, and is not loaded. How often now.
UPDATE suspects s
SET deaths = s.deaths + 1, noted_at = now()
FROM checkpoints c
WHERE s.file_id = $1 AND s.file_offset = $2 AND c.file_id = s.file_id AND c.loaded_bytes <= s.file_offset
RETURNING s.deaths
