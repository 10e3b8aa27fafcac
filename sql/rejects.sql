-- For `alt rejects list`: $1 reason, $2 part of a path, $3 rejected since, $4 maximum number.
SELECT f.path, f.host, r.file_offset, r.bytes, r.lines, r.reason, r.detail,
       to_char(r.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS occurred_at,
       r.event_id::text,
       to_char(r.rejected_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS rejected_at,
       r.raw
FROM rejected_lines r
LEFT JOIN log_files f ON f.id = r.file_id
WHERE ($1::text IS NULL OR r.reason = $1)
  AND ($2::text IS NULL OR strpos(f.path, $2) > 0)
  AND ($3::timestamptz IS NULL OR r.rejected_at >= $3)
ORDER BY r.rejected_at DESC, r.file_id DESC, r.file_offset DESC
LIMIT $4
