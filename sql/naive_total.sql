-- The day's statistics. See naive_rows.sql.
SELECT c.class, 'total' AS dimension, '' AS value,
       (SELECT count(*) FROM visits v WHERE v.class = c.class) AS events,
       (SELECT count(*) FROM views v WHERE v.class = c.class) AS page_views,
       (SELECT count(DISTINCT visitor_id) FROM visits v WHERE v.class = c.class) AS visitors,
       (SELECT count(*) FROM timed s WHERE s.class = c.class) AS sessions,
       (SELECT coalesce(sum(authenticated), 0) FROM timed s WHERE s.class = c.class) AS authenticated,
       (SELECT coalesce(sum(bounces), 0) FROM timed s WHERE s.class = c.class) AS bounces,
       (SELECT coalesce(sum(duration_ms), 0) FROM timed s WHERE s.class = c.class) AS duration_ms,
       (SELECT coalesce(sum(engaged_ms), 0) FROM reported r WHERE r.class = c.class) AS engaged_ms,
       (SELECT count(*) FROM reported r WHERE r.class = c.class AND is_timed) AS timed_views,
       (SELECT count(depth) FROM reported r WHERE r.class = c.class) AS scrolled_views,
       (SELECT coalesce(sum(depth), 0) FROM reported r WHERE r.class = c.class) AS scroll_percent,
       (SELECT coalesce(sum(stray_ms), 0) FROM strays s WHERE s.class = c.class) AS stray_ms
FROM (SELECT DISTINCT class FROM day) c
