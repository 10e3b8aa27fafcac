-- For `alt status`: $1 host, or NULL for all hosts.
SELECT f.host, f.source, f.path, f.format, f.inode, f.size_bytes,
       c.head, c.head_bytes, c.head_has_id, c.loaded_bytes, c.tail, c.tail_bytes, c.sealed,
       c.lines, c.rows, c.non_hits, c.rejects, c.already_loaded, c.unloaded,
       c.unloaded_at IS NOT NULL AS is_out,
       to_char(c.committed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS committed_at,
       extract(epoch FROM clock_timestamp() - c.committed_at)::double precision AS since_commit,
       c.file_id, c.fork,
       -- An object that holds less than what is loaded does not yet count as the file's archive object.
       CASE WHEN f.raw_bytes = c.loaded_bytes
            THEN to_char(f.archived_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END AS archived_at,
       CASE WHEN f.raw_bytes = c.loaded_bytes THEN f.archive_uri END AS archive_uri, f.archive_error,
       to_char(f.deleted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS deleted_at
FROM checkpoints c
JOIN log_files f ON f.id = c.file_id
WHERE $1::text IS NULL OR f.host = $1
ORDER BY f.host, f.source, c.file_id
