-- Records that a file is archived, if the archive holds everything that is loaded of it: $1 file, $2 URI, $3 bytes and
-- $4 SHA-256 of the object, $5 bytes, $6 SHA-256 and $7 lines of the log, $8 and $9 first and last time of its hits.
UPDATE log_files f
SET archived_at = now(), archive_uri = $2, archive_bytes = $3, archive_sha256 = $4, raw_bytes = $5, raw_sha256 = $6,
    raw_lines = $7, first_at = $8, last_at = $9, archive_error = NULL
FROM checkpoints c
WHERE f.id = $1 AND c.file_id = f.id AND c.sealed AND c.loaded_bytes = $5
