-- Statistics by type of event. See naive_rows.sql.
SELECT v.class, 'event', v.event_type, count(*), count(*) FILTER (WHERE w.event_id IS NOT NULL), count(DISTINCT v.visitor_id),
       count(DISTINCT (n.visitor_id, n.session)) FILTER (WHERE n.session IS NOT NULL), 0, 0, 0, 0, 0, 0, 0, 0
FROM visits v
LEFT JOIN views w ON w.event_id = v.event_id
LEFT JOIN numbered n ON n.event_id = v.event_id
GROUP BY v.class, v.event_type
