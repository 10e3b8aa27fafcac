-- Records that an archive object is deleted: $1 its URI, $2 host, $3 and $4 the first and the last time in it.
WITH noted AS (
    INSERT INTO retention_drops (host, what, name, from_at, until_at) VALUES ($2, 'object', $1, $3, $4)
)
UPDATE log_files SET archive_uri = NULL WHERE archive_uri = $1
