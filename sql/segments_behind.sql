-- Of the days $2 to $3 of the application $1: how many have statistics and no segment, and how many of these were imported; and when the segments were written
-- that are older than their day's statistics, the earliest.
SELECT count(*) FILTER (WHERE segments_at IS NULL AND imported_at IS NULL), count(imported_at),
       to_char(min(segments_at) FILTER (WHERE segments_generation < generation) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM stat_days
WHERE app_id = $1 AND day BETWEEN $2::text::date AND $3::text::date AND generation > 0 AND NOT expired
