-- Statistics by goal. See naive_rows.sql. $10 names of the goals, $11 types of events, $12 paths, of which one is NULL each.
SELECT v.class, 'goal', g.name, count(*), count(w.place), count(DISTINCT v.visitor_id),
       count(DISTINCT (n.visitor_id, n.session)) FILTER (WHERE n.session IS NOT NULL)
FROM unnest($10::text[], $11::text[], $12::text[]) g (name, event, page)
CROSS JOIN visits v
LEFT JOIN views w ON w.place = v.place
LEFT JOIN numbered n ON n.place = v.place
WHERE v.event_type = g.event
   OR w.place IS NOT NULL AND v.path LIKE replace(regexp_replace(g.page, '([\\%_])', '\\\1', 'g'), '*', '%')
GROUP BY v.class, g.name
