-- Rejects of file $1 from offset $2 on that are one line each, and whose bytes are all stored: $3 reason, $4 detail, $5
-- rejected since, $6 maximum number. Torn lines are excluded, because their bytes do not show that another write tore
-- them. A line that ended the daemon is returned only if its reason is asked for.
SELECT file_offset, bytes, lines, reason, detail, raw
FROM rejected_lines
WHERE file_id = $1 AND file_offset >= $2 AND lines = 1 AND octet_length(raw) < 2048
  AND bytes - octet_length(raw) IN (0, 1) AND reason NOT IN ('torn', 'too_long')
  AND (reason = $3 OR $3::text IS NULL AND reason <> 'poison')
  AND ($4::text IS NULL OR detail = $4)
  AND ($5::timestamptz IS NULL OR rejected_at >= $5)
ORDER BY file_offset
LIMIT $6
