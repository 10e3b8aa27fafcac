-- The database's time, and the times at which clocks were found right. Returns at least one row.
SELECT clock_timestamp() AS there, c.host, c.boot_id, c.uptime_us, c.first_at, c.last_at, c.quiet_since
FROM (SELECT 1) one
LEFT JOIN retention_clock c ON true
