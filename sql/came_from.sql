-- Records from which archive object a file was loaded, if that is unknown: $1 URI, $2 its bytes, $3 its SHA-256.
UPDATE log_files SET archive_uri = $1, archive_bytes = $2, archive_sha256 = $3
WHERE path = $1 AND archive_uri IS NULL
