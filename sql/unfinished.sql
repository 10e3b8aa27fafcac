-- Logs of a host ($1) that are not loaded to their ends as far as the database knows, the newest first; at most $2. Files
-- of replays are not followed, and files that were deleted for their age, taken out or forgotten are settled.
SELECT c.file_id, c.head, c.head_bytes, c.head_has_id, c.fork, c.loaded_bytes, c.tail, c.tail_bytes, c.sealed,
       f.source, f.path, f.real_path, f.inode, f.size_bytes,
       f.missing_at IS NOT NULL AS is_noted
FROM checkpoints c
JOIN log_files f ON f.id = c.file_id
WHERE NOT c.sealed AND c.unloaded_at IS NULL
  AND f.host = $1 AND f.source <> 'replay' AND f.deleted_at IS NULL AND f.forgotten_at IS NULL
ORDER BY c.file_id DESC
LIMIT $2
