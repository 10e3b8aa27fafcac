-- Visitors and sessions by step of a funnel, behind naive_rows.sql, whose WITH is RECURSIVE then. $10 numbers of the steps, $11
-- types of events, $12 paths, of which one is NULL each; $13 steps are within a day, else within a session; $14 strictly; $15 and
-- $16 the step's property and the value that it has to have, or NULL.
, counting AS (
    SELECT class, visitor_id, CASE WHEN $13 THEN 0 ELSE session END AS unit, event_type, is_view, path, params,
           row_number() OVER (PARTITION BY class, visitor_id, CASE WHEN $13 THEN 0 ELSE session END
                              ORDER BY place) AS place
    FROM numbered
    WHERE NOT $14::boolean OR is_view OR event_type = ANY ($11::text[])
),
steps AS (
    SELECT c.class, c.visitor_id, c.unit, c.place, s.step
    FROM counting c
    JOIN unnest($10::integer[], $11::text[], $12::text[], $15::text[], $16::text[]) s (step, event, page, property, has)
        ON (c.event_type = s.event
            OR c.is_view AND c.path LIKE replace(regexp_replace(s.page, '([\\%_])', '\\\1', 'g'), '*', '%'))
       AND (s.property IS NULL OR c.params -> 'custom' ->> s.property = s.has)
),
-- Every way through the steps.
walk AS (
    SELECT class, visitor_id, unit, place, step FROM steps WHERE step = 1
    UNION
    SELECT s.class, s.visitor_id, s.unit, s.place, s.step
    FROM walk w
    JOIN steps s ON s.class = w.class AND s.visitor_id = w.visitor_id AND s.unit = w.unit AND s.step = w.step + 1
        AND CASE WHEN $14 THEN s.place = w.place + 1 ELSE s.place > w.place END
)
SELECT class, 'funnel', step::text, 0::bigint, 0::bigint, count(DISTINCT visitor_id),
       count(DISTINCT (visitor_id, unit)) FILTER (WHERE NOT $13)
FROM walk
GROUP BY class, step
