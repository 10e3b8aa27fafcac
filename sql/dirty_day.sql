-- A day of an application before its rows are read: where it lies, its generation, whether it is frozen, the ids that
-- mark it, the domains of the application; whether its segments are older than its statistics, although it is over, or has at
-- most $4 rows and they may be written again; whether
-- they may be written again now: $3 microseconds after the last time, or because it is over; of how many rows they are; and
-- which properties of events they keep; whether the application's page views are requests.
-- Microseconds since 1970.
SELECT (extract(epoch FROM s.from_at) * 1000000)::bigint, (extract(epoch FROM s.until_at) * 1000000)::bigint,
       s.generation, s.frozen_at IS NOT NULL,
       ARRAY(SELECT d.id FROM stat_dirty d WHERE d.app_id = s.app_id AND d.day = s.day),
       coalesce((SELECT a.allowed_domains FROM applications a WHERE a.id = s.app_id), '{}'),
       s.segments_at IS NOT NULL AND s.segments_generation < s.generation
           AND (s.until_at <= clock_timestamp()
                OR (s.rows <= $4 AND s.segments_at <= clock_timestamp() - $3::bigint * interval '1 microsecond')),
       s.segments_at IS NULL OR s.until_at <= clock_timestamp()
           OR s.segments_at <= clock_timestamp() - $3::bigint * interval '1 microsecond',
       CASE WHEN s.until_at <= clock_timestamp() THEN 0 ELSE s.segments_rows END,
       coalesce((SELECT a.properties FROM applications a WHERE a.id = s.app_id), '{}'),
       coalesce((SELECT a.page_views = 'requests' FROM applications a WHERE a.id = s.app_id), false)
FROM stat_days s
WHERE s.app_id = $1 AND s.day = $2::text::date
