-- A day of an application before its rows are read: where it lies, its generation, whether it is frozen, the ids that
-- mark it, and the domains of the application. Microseconds since 1970.
SELECT (extract(epoch FROM s.from_at) * 1000000)::bigint, (extract(epoch FROM s.until_at) * 1000000)::bigint,
       s.generation, s.frozen_at IS NOT NULL,
       ARRAY(SELECT d.id FROM stat_dirty d WHERE d.app_id = s.app_id AND d.day = s.day),
       coalesce((SELECT a.allowed_domains FROM applications a WHERE a.id = s.app_id), '{}')
FROM stat_days s
WHERE s.app_id = $1 AND s.day = $2::text::date
