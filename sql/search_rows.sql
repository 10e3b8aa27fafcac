-- Reads the $5 rows of application $1 that are next before ($3, $4), back to $2 (microseconds since 1970), and returns at
-- most $6 of those that are wanted, the newest first: as a JSON object, with its position. The last row of the answer has
-- no object: it has the position of the last row that was read, how many were, the time of the newest, and, where $17 is a
-- number of microseconds, how many of those that were read are wanted, by times of this length.
WITH read AS MATERIALIZED (
    SELECT occurred_at, event_id,
           ($7::text IS NULL OR event_type = $7)
           AND ($8::text IS NULL OR starts_with(url_path, $8))
           AND ($9::text IS NULL
                OR position(lower($9) IN lower(concat_ws(E'\n', url_path, url_query, title, referrer, user_id, entity_id, params ->> 'search_term',
                                              params ->> 'text', params ->> 'element', params ->> 'custom'))) > 0)
           AND ($10::text IS NULL OR trace_id = $10)
           AND ($11::text IS NULL OR user_id = $11)
           AND ($12::text IS NULL OR session_id = $12)
           AND ($13::text IS NULL OR traffic_class = $13)
           AND ($14::smallint IS NULL OR status BETWEEN $14 AND $15)
           AND ($16::bigint IS NULL OR visitor_id = $16) AS is_wanted
    FROM access_logs
    WHERE app_id = $1
      AND occurred_at >= 'epoch'::timestamptz + $2 * interval '1 microsecond'
      AND occurred_at <= 'epoch'::timestamptz + $3 * interval '1 microsecond'
      AND (occurred_at < 'epoch'::timestamptz + $3 * interval '1 microsecond' OR event_id < $4::text::uuid)
    ORDER BY occurred_at DESC, event_id DESC
    LIMIT $5
), wanted AS MATERIALIZED (
    SELECT occurred_at, event_id FROM read WHERE is_wanted ORDER BY occurred_at DESC, event_id DESC LIMIT $6
), counted AS MATERIALIZED (
    SELECT (extract(epoch FROM occurred_at) * 1000000)::bigint / $17::bigint * $17::bigint AS at, count(*) AS count
    FROM read WHERE is_wanted AND $17::bigint IS NOT NULL GROUP BY 1
)
SELECT * FROM (
    SELECT jsonb_strip_nulls(jsonb_build_object(
               'occurred_at', to_char(l.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'event_id', l.event_id,
               'event_type', l.event_type,
               'traffic_class', l.traffic_class,
               'visitor_id', l.visitor_id::text,
               'page_view_id', l.page_view_id::text,
               'session_id', l.session_id,
               'user_id', l.user_id,
               'ip', host(l.ip),
               'url_host', l.url_host,
               'url_path', l.url_path,
               'url_query', l.url_query,
               'title', l.title,
               'referrer', l.referrer,
               'method', l.method,
               'status', l.status,
               'request_ms', l.request_ms,
               'dwell_ms', l.dwell_ms,
               'scroll_depth', l.scroll_depth,
               'entity_type', l.entity_type,
               'entity_id', l.entity_id,
               'trace_id', l.trace_id,
               'browser', u.browser,
               'os', u.os,
               'device', u.device,
               'user_agent', u.user_agent,
               'params', l.params))::text AS object,
           (extract(epoch FROM l.occurred_at) * 1000000)::bigint AS at, l.event_id::text AS id, 0::bigint AS count, NULL::bigint AS newest,
           NULL::bigint[] AS times, NULL::bigint[] AS counts
    FROM wanted w
    JOIN access_logs l ON l.app_id = $1 AND l.occurred_at = w.occurred_at AND l.event_id = w.event_id
    LEFT JOIN user_agents u ON u.id = l.user_agent_id
    ORDER BY l.occurred_at DESC, l.event_id DESC
) found
UNION ALL
(SELECT NULL, (extract(epoch FROM occurred_at) * 1000000)::bigint, event_id::text, count(*) OVER (),
        (extract(epoch FROM max(occurred_at) OVER ()) * 1000000)::bigint,
        (SELECT array_agg(at ORDER BY at) FROM counted), (SELECT array_agg(count ORDER BY at) FROM counted)
 FROM read ORDER BY occurred_at, event_id LIMIT 1)
