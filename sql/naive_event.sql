-- Statistics by type of event. See naive_rows.sql.
SELECT v.class, 'event', v.event_type, count(*), count(*) FILTER (WHERE w.place IS NOT NULL), count(DISTINCT v.visitor_id),
       count(DISTINCT (n.visitor_id, n.session)) FILTER (WHERE n.session IS NOT NULL), 0, 0, 0, 0, 0, 0, 0, 0
FROM visits v
LEFT JOIN views w ON w.place = v.place
LEFT JOIN numbered n ON n.place = v.place
GROUP BY v.class, v.event_type
