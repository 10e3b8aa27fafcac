-- Waits until all that was committed before is on the server's disk. Whether commits of this session do not wait for that by
-- themselves. No row: nothing is committed here, by a standby.
SELECT s.is_left_to_the_server, pg_logical_emit_message(true, 'alt', set_config('synchronous_commit', 'local', true))
FROM (SELECT current_setting('synchronous_commit') = 'off' AS is_left_to_the_server OFFSET 0) s
WHERE NOT pg_is_in_recovery()
