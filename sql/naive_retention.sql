-- Who came back, behind naive_rows.sql, whose day is the whole time of all periods here. $10 and $11: the first moment of each
-- local day and the first behind it, $12 the first day of its period, as text; $13 class of traffic; $14 a path of which a
-- session has an event, or NULL. A row of what ('cohort', 'people', 'new', 'returning', 'churned') for each cohort and period, or
-- each period.
, local AS (
    SELECT * FROM unnest($10::timestamptz[], $11::timestamptz[], $12::text[]) l (from_at, until_at, period)
),
-- No session crosses a local midnight.
of_days AS (
    SELECT l.from_at, l.period, v.visitor_id, v.occurred_at, v.place, v.user_id, v.path,
           CASE WHEN v.occurred_at - lag(v.occurred_at) OVER same <= interval '30 minutes' THEN 0 ELSE 1 END AS begins
    FROM local l
    JOIN visits v ON v.occurred_at >= l.from_at AND v.occurred_at < l.until_at
    WHERE v.class = $13 AND v.visitor_id IS NOT NULL
    WINDOW same AS (PARTITION BY l.from_at, v.visitor_id ORDER BY v.place)
),
in_sessions AS (
    SELECT *, sum(begins) OVER (PARTITION BY from_at, visitor_id ORDER BY place) AS session
    FROM of_days
),
persons AS (
    SELECT period, (array_agg(user_id ORDER BY place) FILTER (WHERE user_id <> ''))[1] AS person
    FROM in_sessions
    GROUP BY from_at, period, visitor_id, session
    HAVING $14::text IS NULL OR bool_or(path = $14)
),
-- The periods of each person, and the first of them.
stays AS (
    SELECT DISTINCT person, period, min(period) OVER (PARTITION BY person) AS first
    FROM persons
    WHERE person IS NOT NULL
),
periods AS (
    SELECT period, lag(period) OVER (ORDER BY period) AS before FROM (SELECT DISTINCT period FROM local) every
)
SELECT 'cohort' AS what, first, period, count(*) FROM stays GROUP BY first, period
UNION ALL
SELECT 'people', '', period, count(*) FROM stays GROUP BY period
UNION ALL
SELECT 'new', '', period, count(*) FROM stays WHERE period = first GROUP BY period
UNION ALL
SELECT 'returning', '', period, count(*) FROM stays WHERE period > first GROUP BY period
UNION ALL
SELECT 'churned', '', p.period, count(*)
FROM periods p
JOIN stays was ON was.period = p.before
WHERE NOT EXISTS (SELECT FROM stays here WHERE here.person = was.person AND here.period = p.period)
GROUP BY p.period
