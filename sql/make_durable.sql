-- Waits until all that was committed before is on the server's disk, in a session whose commits do not wait for that: one
-- row. No row: they do, or nothing is committed here.
SELECT pg_logical_emit_message(true, 'alt', set_config('synchronous_commit', 'on', true))
WHERE current_setting('synchronous_commit') = 'off' AND NOT pg_is_in_recovery()
