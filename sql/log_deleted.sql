-- Records that a local log was deleted: $1 file, $2 host, $3 path.
WITH noted AS (
    INSERT INTO retention_drops (host, what, name, from_at, until_at)
    SELECT $2, 'log', $3, c.first_at, c.last_at FROM checkpoints c WHERE c.file_id = $1
)
UPDATE log_files SET deleted_at = now() WHERE id = $1
