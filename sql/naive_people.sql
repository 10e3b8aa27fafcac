-- People by value, behind naive_rows.sql: distinct user ids, of which a session has the first.
, person AS (
    SELECT class, visitor_id, session,
           (array_agg(user_id ORDER BY place) FILTER (WHERE user_id <> ''))[1] AS person
    FROM numbered
    GROUP BY class, visitor_id, session
),
met AS (
    SELECT n.class, named.dimension, named.value, p.person
    FROM numbered n
    JOIN person p USING (class, visitor_id, session),
    LATERAL (VALUES ('total', ''), ('hour', n.hour), ('event', n.event_type), ('page', CASE WHEN n.is_view THEN n.path END))
        named (dimension, value)
    UNION ALL
    SELECT s.class, named.dimension, named.value, p.person
    FROM timed s
    JOIN person p USING (class, visitor_id, session)
    JOIN attributed a ON a.place = s.from_row,
    LATERAL (VALUES ('entry_page', s.entry_page), ('exit_page', s.exit_page), ('source', a.source), ('channel', a.channel),
        ('campaign', a.campaign), ('country', a.country), ('language', a.language), ('browser', a.browser), ('os', a.os),
        ('device', a.device), ('screen', a.screen)) named (dimension, value)
)
SELECT class, dimension, value, count(DISTINCT person)
FROM met
WHERE person IS NOT NULL AND value IS NOT NULL
GROUP BY class, dimension, value
