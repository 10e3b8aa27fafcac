-- The day's statistics, and those of its hours. See naive_rows.sql. Each row is counted where its columns are not 0; a class
-- has a row of each row's, so that it is there.
SELECT class, dimension, value, sum(events) AS events, sum(page_views) AS page_views, count(DISTINCT visitor_id) AS visitors,
       sum(sessions) AS sessions, sum(authenticated) AS authenticated, sum(bounces) AS bounces,
       sum(duration_ms) AS duration_ms, sum(engaged_ms) AS engaged_ms, sum(timed_views) AS timed_views,
       sum(scrolled_views) AS scrolled_views, sum(scroll_percent) AS scroll_percent, sum(stray_ms) AS stray_ms
FROM (
    SELECT class, NULL AS hour, 0 AS events, 0 AS page_views, NULL::bigint AS visitor_id, 0 AS sessions, 0 AS authenticated,
           0 AS bounces, 0::bigint AS duration_ms, 0::bigint AS engaged_ms, 0 AS timed_views, 0 AS scrolled_views,
           0 AS scroll_percent, 0::bigint AS stray_ms
    FROM day
    UNION ALL
    SELECT class, hour, 1, 0, visitor_id, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM visits
    UNION ALL
    SELECT class, hour, 0, 1, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM views
    UNION ALL
    SELECT class, hour, 0, 0, NULL, 1, authenticated, bounces, duration_ms, 0, 0, 0, 0, 0 FROM timed
    UNION ALL
    SELECT class, hour, 0, 0, NULL, 0, 0, 0, 0, engaged_ms, is_timed::int, (depth IS NOT NULL)::int, coalesce(depth, 0), 0
    FROM reported
    UNION ALL
    SELECT class, NULL, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, stray_ms FROM strays) counted,
LATERAL (VALUES ('total', ''), ('hour', hour)) named (dimension, value)
WHERE value IS NOT NULL
GROUP BY class, dimension, value
