-- The state of a file that may be archived or deleted: $1 file.
SELECT c.loaded_bytes, c.head, c.sealed, c.unloaded_at IS NOT NULL AS unloaded, f.archived_at IS NOT NULL AS archived, f.archive_uri, f.raw_bytes, f.raw_sha256,
       ARRAY(SELECT s.file_offset FROM suspects s WHERE s.file_id = c.file_id AND s.deaths > 1 ORDER BY 1) AS set_aside
FROM checkpoints c
JOIN log_files f ON f.id = c.file_id
WHERE c.file_id = $1
