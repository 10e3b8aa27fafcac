-- Statistics by type of event. See naive_rows.sql.
SELECT v.class, 'event', v.event_type, count(*),
       (SELECT count(*) FROM views w WHERE (w.class, w.event_type) = (v.class, v.event_type)),
       count(DISTINCT v.visitor_id),
       (SELECT count(DISTINCT (visitor_id, session)) FROM numbered n WHERE (n.class, n.event_type) = (v.class, v.event_type)),
       0, 0, 0, 0, 0, 0, 0, 0
FROM visits v
GROUP BY v.class, v.event_type
