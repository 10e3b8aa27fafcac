-- Statistics by what events say, behind naive_rows.sql. $10 names of the application's properties, $11 the property that is
-- summed. $12 names of goals, $13 types of events, $14 paths, of which one is NULL each; $15 and $16 the goal's property and the
-- value that it has to have, or NULL. Numbers are exact: a - or none, 1 to 12 digits, and at most 6 behind a point.
, own AS (
    SELECT v.class, v.place, v.visitor_id, n.session, v.event_type, w.place IS NOT NULL AS is_view,
           v.path, v.entity_type, v.entity_id, v.client_sub_id, v.module_id, v.params, v.params -> 'custom' AS custom,
           v.event_type IN ('order', 'purchase') AS is_order,
           v.entity_type = 'product' AND v.entity_id <> '' AS is_product
    FROM visits v
    LEFT JOIN views w ON w.place = v.place
    LEFT JOIN numbered n ON n.place = v.place
),
said AS (
    SELECT *, CASE WHEN is_order AND is_product THEN coalesce(nullif(custom ->> 'quantity', ''), '1') END AS quantity,
           CASE WHEN event_type LIKE '%cart%' OR event_type = 'pageview' AND NOT is_view THEN NULL
                WHEN is_order THEN coalesce(nullif(custom ->> 'revenue', ''), nullif(custom ->> 'total', ''),
                                            nullif(custom ->> 'value', ''))
                ELSE nullif(custom ->> 'revenue', '') END AS revenue,
           CASE WHEN is_order AND is_product THEN nullif(custom ->> 'price', '') END AS price,
           upper(coalesce(custom ->> 'currency', '') COLLATE "C") AS currency,
           nullif(CASE $11::text WHEN 'client_sub_id' THEN client_sub_id WHEN 'module_id' THEN module_id
                      WHEN 'entity_type' THEN entity_type WHEN 'entity_id' THEN entity_id
                      ELSE custom ->> $11::text END, '') AS summed,
           CASE WHEN event_type = 'search' AND params ->> 'result_count' ~ '^[0-9]{1,9}$'
                THEN (params ->> 'result_count')::bigint END AS results,
           (event_type IN ('cart_add', 'add_to_cart'))::int AS cart_add
    FROM own
),
numbers AS (
    SELECT *, CASE WHEN quantity ~ '^-?[0-9]{1,12}(\.[0-9]{1,6}0*)?$' THEN quantity::numeric END AS quantity_n,
           CASE WHEN price ~ '^-?[0-9]{1,12}(\.[0-9]{1,6}0*)?$' THEN price::numeric END AS price_n,
           CASE WHEN revenue ~ '^-?[0-9]{1,12}(\.[0-9]{1,6}0*)?$' THEN revenue::numeric END AS revenue_n,
           CASE WHEN summed ~ '^-?[0-9]{1,12}(\.[0-9]{1,6}0*)?$' THEN summed::numeric END AS summed_n
    FROM said
),
worth AS (
    SELECT *, CASE WHEN currency !~ '^([A-Z]{3})?$' THEN NULL
                   WHEN revenue IS NOT NULL THEN revenue_n
                   WHEN abs(price_n * quantity_n) < 1e12 AND price_n * quantity_n = round(price_n * quantity_n, 6)
                        AND event_type NOT LIKE '%cart%' THEN price_n * quantity_n END AS worth,
           event_type NOT LIKE '%cart%' AND coalesce(revenue, price) IS NOT NULL AS has_worth
    FROM numbers
),
counted AS (
    SELECT *, (has_worth AND worth IS NULL OR quantity IS NOT NULL AND quantity_n IS NULL
               OR summed IS NOT NULL AND summed_n IS NULL)::int AS unread
    FROM worth
),
links AS (
    SELECT place, coalesce(nullif(custom ->> 'href', ''), nullif(custom ->> 'download', ''), custom ->> 'link') AS target
    FROM own
),
hosts AS (
    SELECT place, target, regexp_replace(lower(regexp_replace(regexp_replace(
               substring(target FROM '^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)'), '^.*@', ''), ':[0-9]*$', '') COLLATE "C"),
               '^www\.', '') AS host
    FROM links
),
valued AS (
    SELECT c.*, d.dimension, d.value
    FROM counted c
    JOIN hosts h ON h.place = c.place,
    LATERAL (VALUES
        ('total', 'all'),
        ('click', CASE c.event_type WHEN 'click' THEN coalesce(nullif(c.params ->> 'text', ''), c.params ->> 'element') END),
        ('click_url', CASE c.event_type WHEN 'click' THEN c.custom ->> 'href' END),
        ('outbound', CASE c.event_type WHEN 'outbound' THEN coalesce(nullif(h.host, ''), h.target) END),
        ('outbound_url', CASE c.event_type WHEN 'outbound' THEN h.target END),
        ('download', CASE c.event_type WHEN 'download' THEN h.target END),
        ('search', CASE c.event_type WHEN 'search' THEN c.params ->> 'search_term' END),
        ('product', CASE WHEN c.is_product THEN c.entity_id END),
        ('product_name', CASE WHEN c.is_product THEN c.custom ->> 'name' END),
        ('product_category', CASE WHEN c.is_product THEN c.custom ->> 'category' END),
        ('currency', CASE WHEN c.worth IS NOT NULL OR c.currency ~ '^[A-Z]{3}$' THEN 'code ' || c.currency END)) d (dimension, value)
    UNION ALL
    SELECT c.*, 'property:' || p.name,
           CASE p.name WHEN 'client_sub_id' THEN c.client_sub_id WHEN 'module_id' THEN c.module_id
               WHEN 'entity_type' THEN c.entity_type WHEN 'entity_id' THEN c.entity_id ELSE c.custom ->> p.name END
    FROM counted c CROSS JOIN unnest($10::text[]) p (name)
    UNION ALL
    SELECT c.*, 'goal', g.name
    FROM unnest($12::text[], $13::text[], $14::text[], $15::text[], $16::text[]) g (name, event, page, property, has)
    CROSS JOIN counted c
    WHERE (c.event_type = g.event
           OR c.is_view AND c.path LIKE replace(regexp_replace(g.page, '([\\%_])', '\\\1', 'g'), '*', '%'))
      AND (g.property IS NULL OR c.custom ->> g.property = g.has)
)
SELECT class, dimension, CASE dimension WHEN 'currency' THEN substr(value, 6) WHEN 'total' THEN '' ELSE value END,
       count(*), count(*) FILTER (WHERE is_view), count(DISTINCT visitor_id),
       count(DISTINCT (visitor_id, session)) FILTER (WHERE session IS NOT NULL),
       sum(unread)::bigint, sum(cart_add)::bigint, sum(is_order::int)::bigint,
       count(quantity_n), coalesce(sum(quantity_n), 0)::text, count(summed_n), coalesce(sum(summed_n), 0)::text,
       count(results), coalesce(sum(results), 0)::text, count(*) FILTER (WHERE results = 0),
       (SELECT coalesce(string_agg(r.currency || '=' || r.sum || '/' || r.events, ' ' ORDER BY r.currency COLLATE "C"), '')
        FROM (SELECT u.currency, sum(u.worth)::text AS sum, count(*) AS events
              FROM unnest(array_agg(v.currency), array_agg(v.worth)) u (currency, worth)
              WHERE u.worth IS NOT NULL GROUP BY u.currency) r)
FROM valued v
WHERE value <> ''
GROUP BY class, dimension, value
