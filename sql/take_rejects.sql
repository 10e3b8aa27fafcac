-- Takes retried lines out of the quarantine: $1 file, then one element of each array per span: $2 its offset, $3 its
-- bytes, $4 bytes of it that were read, $5 remaining lines. Returns how many of the spans existed.
WITH gone AS (
    DELETE FROM rejected_lines r
    USING unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::integer[])
          AS u (file_offset, bytes, bytes_read, lines_left)
    WHERE r.file_id = $1 AND r.file_offset = u.file_offset AND r.bytes = u.bytes
    RETURNING r.file_id, r.file_offset, r.bytes, r.reason, r.detail, r.rejected_at, u.bytes_read, u.lines_left
), cleared AS (
    -- Retrying this line did not end the process.
    DELETE FROM suspects s USING gone WHERE s.file_id = gone.file_id AND gone.reason = 'poison'
      AND s.file_offset >= gone.file_offset AND s.file_offset < gone.file_offset + gone.bytes_read
), kept AS (
    INSERT INTO rejected_lines (file_id, file_offset, bytes, lines, reason, detail, rejected_at)
    SELECT file_id, file_offset + bytes_read, bytes - bytes_read, lines_left, reason, detail, rejected_at
    FROM gone
    WHERE lines_left > 0
)
SELECT count(*) FROM gone
