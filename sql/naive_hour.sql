-- Statistics by hour. See naive_rows.sql.
SELECT c.class, 'hour', c.hour,
       (SELECT count(*) FROM visits v WHERE (v.class, v.hour) = (c.class, c.hour)),
       (SELECT count(*) FROM views v WHERE (v.class, v.hour) = (c.class, c.hour)),
       (SELECT count(DISTINCT visitor_id) FROM visits v WHERE (v.class, v.hour) = (c.class, c.hour)),
       (SELECT count(*) FROM timed s WHERE (s.class, s.hour) = (c.class, c.hour)),
       (SELECT coalesce(sum(authenticated), 0) FROM timed s WHERE (s.class, s.hour) = (c.class, c.hour)),
       (SELECT coalesce(sum(bounces), 0) FROM timed s WHERE (s.class, s.hour) = (c.class, c.hour)),
       (SELECT coalesce(sum(duration_ms), 0) FROM timed s WHERE (s.class, s.hour) = (c.class, c.hour)),
       (SELECT coalesce(sum(engaged_ms), 0) FROM reported r WHERE (r.class, r.hour) = (c.class, c.hour)),
       (SELECT count(*) FROM reported r WHERE (r.class, r.hour) = (c.class, c.hour) AND is_timed),
       (SELECT count(depth) FROM reported r WHERE (r.class, r.hour) = (c.class, c.hour)),
       (SELECT coalesce(sum(depth), 0) FROM reported r WHERE (r.class, r.hour) = (c.class, c.hour)),
       0
FROM (SELECT DISTINCT class, hour FROM visits) c
