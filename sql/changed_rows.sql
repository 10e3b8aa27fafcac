FROM access_logs
WHERE file_id = $1 AND file_offset >= $2 AND file_offset < $3 AND ($4::bigint[] IS NULL OR file_offset = ANY ($4))
  AND app_id = ANY ($5) AND occurred_at >= $6 AND occurred_at <= $7
