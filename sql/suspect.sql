-- Enters a line before it is touched: $1 file, $2 offset, $3 how often the daemon is taken to have ended in it. Those before
-- it are loaded, and not to blame.
--
-- It has to outlive the daemon, not the server: its commit is not waited for.
WITH innocent AS (
    DELETE FROM suspects WHERE file_id = $1 AND file_offset < $2 AND deaths < 2
)
INSERT INTO suspects (file_id, file_offset, deaths)
SELECT $1, $2, $3 WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
ON CONFLICT (file_id, file_offset) DO NOTHING
