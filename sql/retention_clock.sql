-- The database's time, and the times that were found right: one row at the least.
SELECT clock_timestamp() AS there, c.host, c.boot_id, c.uptime_us, c.first_at, c.last_at, c.quiet_since
FROM (SELECT 1) one
LEFT JOIN retention_clock c ON true
