-- Checkpoints that a file with a given head may continue: $1 hash of the head, $2 whether the head contains an id, $3
-- host, $4 source. A head with an id is globally unique. Other heads match only on the same host and source, and may
-- have been shorter when they were stored.
SELECT c.file_id, c.head, c.head_bytes, c.head_has_id, c.fork, c.loaded_bytes, c.tail, c.tail_bytes, c.sealed, c.by_ids,
       f.path, f.inode, f.size_bytes, f.modified_at, c.unloaded_at IS NOT NULL AS unloaded, f.spec::text,
       ARRAY(SELECT s.file_offset FROM suspects s WHERE s.file_id = c.file_id AND s.deaths > 1 ORDER BY 1) AS set_aside
FROM checkpoints c
JOIN log_files f ON f.id = c.file_id
WHERE ($2 AND c.head = $1)
   OR (NOT c.head_has_id AND f.host = $3 AND left(f.source, 200) = left($4, 200) AND f.source = $4
       AND (c.head_bytes < 4096 OR c.head = $1))
ORDER BY c.file_id
