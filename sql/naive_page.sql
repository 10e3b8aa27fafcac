-- Statistics by page. See naive_rows.sql.
SELECT c.class, 'page', c.path,
       (SELECT count(*) FROM visits v WHERE (v.class, v.path) = (c.class, c.path)),
       (SELECT count(*) FROM views v WHERE (v.class, v.path) = (c.class, c.path)),
       (SELECT count(DISTINCT visitor_id) FROM views v WHERE (v.class, v.path) = (c.class, c.path)),
       (SELECT count(DISTINCT (visitor_id, session)) FROM numbered n WHERE (n.class, n.path) = (c.class, c.path) AND is_view),
       0, 0, 0,
       (SELECT coalesce(sum(engaged_ms), 0) FROM reported r WHERE (r.class, r.path) = (c.class, c.path)),
       (SELECT count(*) FROM reported r WHERE (r.class, r.path) = (c.class, c.path) AND is_timed),
       (SELECT count(depth) FROM reported r WHERE (r.class, r.path) = (c.class, c.path)),
       (SELECT coalesce(sum(depth), 0) FROM reported r WHERE (r.class, r.path) = (c.class, c.path)),
       (SELECT coalesce(sum(stray_ms), 0) FROM strays s WHERE (s.class, s.path) = (c.class, c.path))
FROM (SELECT class, path FROM visits UNION SELECT class, path FROM strays) c
