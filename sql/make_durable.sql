-- Waits until everything committed before is on the server's disk. Returns whether commits of this session do not wait
-- for the disk by themselves. No row: this server is a standby and commits nothing.
SELECT s.is_left_to_the_server, pg_logical_emit_message(true, 'alt', set_config('synchronous_commit', 'local', true))
FROM (SELECT current_setting('synchronous_commit') = 'off' AS is_left_to_the_server OFFSET 0) s
WHERE NOT pg_is_in_recovery()
