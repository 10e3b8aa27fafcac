-- Records that a clock was found right: $1 host, $2 boot id of its machine, $3 CLOCK_BOOTTIME there, $4 the time. The
-- first record of that boot is kept, so that small steps do not add up. Returns since when the newest commit has been
-- more than a day old.
INSERT INTO retention_clock AS c (host, boot_id, uptime_us, first_at, last_at, quiet_since)
SELECT $1, $2, $3, $4, $4, CASE WHEN q.is_quiet THEN $4 END
FROM (SELECT coalesce(max(committed_at) < $4 - interval '1 day', false) AS is_quiet FROM checkpoints) q
ON CONFLICT (host) DO UPDATE
SET uptime_us = CASE WHEN c.boot_id = excluded.boot_id AND c.uptime_us <= excluded.uptime_us
                     THEN c.uptime_us ELSE excluded.uptime_us END,
    first_at = CASE WHEN c.boot_id = excluded.boot_id AND c.uptime_us <= excluded.uptime_us
                    THEN c.first_at ELSE excluded.first_at END,
    boot_id = excluded.boot_id,
    last_at = greatest(c.last_at, excluded.last_at),
    quiet_since = CASE WHEN excluded.quiet_since IS NOT NULL THEN coalesce(c.quiet_since, excluded.quiet_since) END
RETURNING quiet_since
