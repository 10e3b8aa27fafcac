-- Records a line before it is processed: $1 file, $2 offset, $3 how often the daemon is assumed to have ended in it.
-- Earlier lines are loaded, and not to blame.
--
-- The record must survive the daemon, not the server: its commit does not wait for the disk.
WITH innocent AS (
    DELETE FROM suspects WHERE file_id = $1 AND file_offset < $2 AND deaths < 2
)
INSERT INTO suspects (file_id, file_offset, deaths)
SELECT $1, $2, $3 WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
ON CONFLICT (file_id, file_offset) DO NOTHING
