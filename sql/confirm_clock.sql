-- Records that a person has confirmed a clock: $1 host, $2 boot id of its machine, $3 CLOCK_BOOTTIME there, $4 the
-- time. Replaces all earlier records, because they may have been wrong.
WITH gone AS (DELETE FROM retention_clock WHERE host <> $1)
INSERT INTO retention_clock (host, boot_id, uptime_us, first_at, last_at) VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (host) DO UPDATE
SET boot_id = excluded.boot_id, uptime_us = excluded.uptime_us, first_at = excluded.first_at, last_at = excluded.last_at,
    quiet_since = NULL
