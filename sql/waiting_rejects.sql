-- Files with rejects that can be retried: $1 reason, $2 detail, $3 rejected since, $4 part of the file's path. Lines
-- that ended the daemon count only if their reason is asked for.
SELECT f.id, f.host, f.source, f.path, f.format, f.spec::text, c.head, c.head_bytes, c.head_has_id,
       sum(r.lines)::bigint AS lines,
       -- The lines whose bytes are all stored, as in raw_rejects.sql.
       count(*) FILTER (WHERE r.lines = 1 AND octet_length(r.raw) < 2048
                          AND r.bytes - octet_length(r.raw) IN (0, 1)
                          AND r.reason NOT IN ('torn', 'too_long')) AS whole
FROM rejected_lines r
JOIN log_files f ON f.id = r.file_id
JOIN checkpoints c ON c.file_id = r.file_id
WHERE (r.reason = $1 OR $1::text IS NULL AND r.reason <> 'poison')
  AND ($2::text IS NULL OR r.detail = $2)
  AND ($3::timestamptz IS NULL OR r.rejected_at >= $3)
  AND ($4::text IS NULL OR strpos(f.path, $4) > 0)
  AND c.unloaded_at IS NULL
GROUP BY f.id, c.file_id
ORDER BY f.id
