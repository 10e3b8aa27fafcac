-- Statistics by page. See naive_rows.sql.
SELECT class, 'page', path, sum(events), sum(page_views), count(DISTINCT visitor_id),
       count(DISTINCT (visitor_id, session)) FILTER (WHERE session IS NOT NULL), 0, 0, 0, sum(engaged_ms), sum(timed_views),
       sum(scrolled_views), sum(scroll_percent), sum(stray_ms)
FROM (
    SELECT class, path, 1 AS events, 0 AS page_views, NULL::bigint AS visitor_id, NULL::bigint AS session,
           0::bigint AS engaged_ms, 0 AS timed_views, 0 AS scrolled_views, 0 AS scroll_percent, 0::bigint AS stray_ms
    FROM visits
    UNION ALL
    SELECT v.class, v.path, 0, 1, v.visitor_id, n.session, 0, 0, 0, 0, 0
    FROM views v
    LEFT JOIN numbered n ON n.place = v.place
    UNION ALL
    SELECT class, path, 0, 0, NULL, NULL, engaged_ms, is_timed::int, (depth IS NOT NULL)::int, coalesce(depth, 0), 0
    FROM reported
    UNION ALL
    SELECT class, path, 0, 0, NULL, NULL, 0, 0, 0, 0, stray_ms FROM strays) counted
GROUP BY class, path
