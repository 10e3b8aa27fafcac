-- Page views, visitors and sessions by the page before and the page after. See naive_rows.sql.
SELECT class, dimension, value, count(*), count(*), count(DISTINCT visitor_id), count(DISTINCT (visitor_id, session))
FROM (
    SELECT class, visitor_id, session,
           lag(path, 1, '(entry)') OVER same AS before, lead(path, 1, '(exit)') OVER same AS after
    FROM numbered
    WHERE is_view
    WINDOW same AS (PARTITION BY class, visitor_id, session ORDER BY place)) pages
CROSS JOIN LATERAL (VALUES ('previous_page', before), ('next_page', after)) neighbours (dimension, value)
GROUP BY class, dimension, value
