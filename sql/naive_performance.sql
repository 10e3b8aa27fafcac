-- Requests by page in plain SQL (docs/STATISTICS.md): of the application $1, between $2 and $3, of the class $4. Percentiles by
-- nearest rank, in whole numbers. Minutes count from $2.
WITH requests AS (
    SELECT coalesce(url_path, '') AS path, status, CASE WHEN request_ms >= 0 THEN request_ms END AS ms,
           floor(extract(epoch FROM occurred_at - $2::timestamptz) / 60) AS minute
    FROM access_logs
    WHERE app_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND traffic_class = $4 AND event_type = 'request'
),
ranked AS (
    SELECT path, ms, row_number() OVER (PARTITION BY path ORDER BY ms) AS rank, count(*) OVER (PARTITION BY path) AS timed
    FROM requests
    WHERE ms IS NOT NULL
),
minutes AS (SELECT path, count(*) AS requests FROM requests GROUP BY path, minute)
SELECT r.path, count(*), count(*) FILTER (WHERE status >= 500), count(*) FILTER (WHERE status BETWEEN 400 AND 499),
       count(ms),
       (SELECT min(k.ms) FROM ranked k WHERE k.path = r.path AND k.rank * 100 >= k.timed * 50),
       (SELECT min(k.ms) FROM ranked k WHERE k.path = r.path AND k.rank * 100 >= k.timed * 95),
       (SELECT min(k.ms) FROM ranked k WHERE k.path = r.path AND k.rank * 100 >= k.timed * 99),
       (SELECT max(m.requests) FROM minutes m WHERE m.path = r.path)
FROM requests r
GROUP BY r.path
ORDER BY count(*) DESC, r.path COLLATE "C"
