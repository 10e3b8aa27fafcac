-- The definitions of docs/STATISTICS.md in plain SQL, slow and independent of the engine: what all of naive_*.sql read. $1
-- application, $2 and $3 the first moment of its local day and the first behind it, $4 its domains, $5 and $6 zones and their
-- countries, $7 to $9 hosts, channels and names of the known sources. place: the row's among those of the day; event_id is no
-- row's alone, because the same request may be in two logs.
WITH day AS (
    SELECT row_number() OVER (ORDER BY l.occurred_at, l.event_id) AS place, l.traffic_class AS class, l.occurred_at,
           l.visitor_id, l.page_view_id,
           CASE WHEN l.event_type = 'request' AND l.method = 'GET' AND (l.status BETWEEN 200 AND 299 OR l.status = 304)
                 AND (SELECT a.page_views = 'requests' FROM applications a WHERE a.id = $1)
                 AND lower(coalesce(split_part(l.url_path, '#', 1), '') COLLATE "C") !~ ('\.(7z|atom|avif|bmp|bz2|css|csv|doc|docx|eot|flac'
                     || '|gif|gz|ico|ics|jpeg|jpg|js|json|m3u8|m4a|m4v|map|mjs|mov|mp3|mp4|mpeg|ogg|otf|pdf|png|ppt|pptx|rar|rss|svg|tar'
                     || '|tgz|ts|ttf|txt|wasm|wav|webm|webmanifest|webp|woff|woff2|xls|xlsx|xml|zip)$')
                THEN 'pageview' ELSE l.event_type END AS event_type,
           coalesce(l.user_id, '') AS user_id, coalesce(l.url_path, '') AS path, l.dwell_ms, l.scroll_depth,
           floor(extract(epoch FROM l.occurred_at - $2::timestamptz) / 3600)::bigint::text AS hour,
           l.url_host, l.url_query, l.referrer_host, l.params,
           coalesce(l.entity_type, '') AS entity_type, coalesce(l.entity_id, '') AS entity_id,
           coalesce(l.client_sub_id, '') AS client_sub_id, coalesce(l.module_id, '') AS module_id,
           coalesce(l.params ->> 'utm_source', '') AS utm_source,
           coalesce(l.params ->> 'utm_medium', '') AS utm_medium,
           coalesce(l.params ->> 'utm_campaign', '') AS campaign,
           coalesce(l.params ->> 'utm_term', '') AS utm_term,
           coalesce(l.params ->> 'utm_content', '') AS utm_content,
           coalesce(u.browser, '') AS browser, coalesce(u.os, '') AS os, coalesce(u.device, '') AS device,
           coalesce(e.language, l.params ->> 'language', '') AS language,
           coalesce(e.time_zone, l.params ->> 'time_zone', '') AS time_zone,
           e.screen_width
    FROM access_logs l
    LEFT JOIN user_agents u ON u.id = l.user_agent_id
    LEFT JOIN environments e ON e.id = l.environment_id
    WHERE l.app_id = $1 AND l.occurred_at >= $2 AND l.occurred_at < $3
),
-- Rows that make visitors, sessions and activity. identity: what makes a page view the same; of others it means nothing.
visits AS (
    SELECT *, coalesce('view ' || page_view_id, 'row ' || place) AS identity
    FROM day
    WHERE event_type NOT IN ('request', 'engagement')
),
views AS (
    SELECT DISTINCT ON (class, visitor_id, identity) *
    FROM visits
    WHERE event_type = 'pageview'
    ORDER BY class, visitor_id, identity, place
),
-- Whether a visitor's row begins a session.
begins AS (
    SELECT *, CASE WHEN occurred_at - lag(occurred_at) OVER same <= interval '30 minutes' THEN 0 ELSE 1 END AS begins
    FROM visits
    WHERE visitor_id IS NOT NULL
    WINDOW same AS (PARTITION BY class, visitor_id ORDER BY place)
),
-- A visitor's rows, each with the number of its session.
numbered AS (
    SELECT *, sum(begins) OVER (PARTITION BY class, visitor_id ORDER BY place) AS session,
           place IN (SELECT place FROM views) AS is_view
    FROM begins
),
-- What page views say of themselves, and what engagement, and copies of them, say of them: each with its view.
reports AS (
    SELECT d.class, d.visitor_id, d.event_type, d.occurred_at, d.view_id, d.path, d.hour, n.session,
           greatest(d.dwell_ms, 0) AS dwell_ms, d.dwell_ms >= 0 AS is_timed,
           CASE WHEN d.scroll_depth >= 0 THEN least(d.scroll_depth, 100) END AS depth
    FROM (
        SELECT class, visitor_id, event_type, occurred_at, place AS view_id, path, hour, dwell_ms, scroll_depth
        FROM views
        UNION ALL
        SELECT d.class, d.visitor_id, d.event_type, d.occurred_at, v.place, v.path, v.hour, d.dwell_ms, d.scroll_depth
        FROM day d
        JOIN views v ON v.class = d.class AND v.page_view_id = d.page_view_id
            AND v.visitor_id IS NOT DISTINCT FROM d.visitor_id AND v.place <> d.place
        WHERE d.event_type IN ('pageview', 'engagement')) d
    LEFT JOIN numbered n ON n.place = d.view_id
),
-- Page views by what was reported of them.
reported AS (
    SELECT class, visitor_id, session, view_id, path, hour, sum(coalesce(dwell_ms, 0)) AS engaged_ms,
           count(*) FILTER (WHERE is_timed) > 0 AS is_timed, max(depth) AS depth
    FROM reports
    GROUP BY class, visitor_id, session, view_id, path, hour
),
-- Engagement whose view is not of this day, or is not known.
strays AS (
    SELECT d.class, d.path, greatest(d.dwell_ms, 0) AS stray_ms
    FROM day d
    WHERE d.event_type = 'engagement' AND d.dwell_ms > 0
      AND NOT EXISTS (SELECT 1 FROM views v WHERE v.class = d.class
                      AND v.visitor_id IS NOT DISTINCT FROM d.visitor_id AND v.page_view_id = d.page_view_id)
),
-- Where a row came from.
clicks (name, source, is_paid, rank) AS (
    VALUES ('gclid', 'google', true, 1), ('gbraid', 'google', true, 2), ('wbraid', 'google', true, 3),
           ('dclid', 'google', true, 4), ('msclkid', 'bing', true, 5), ('yclid', 'yandex', true, 6),
           ('fbclid', 'facebook', false, 7), ('ttclid', 'tiktok', false, 8), ('twclid', 'x', false, 9),
           ('li_fat_id', 'linkedin', false, 10)
),
raw AS (
    SELECT v.*, c.source AS click, coalesce(c.is_paid, false) AS is_paid_click,
           lower(v.utm_medium COLLATE "C") AS medium,
           lower(coalesce(nullif(v.utm_source, ''), d.decoded) COLLATE "C") AS named,
           regexp_replace(regexp_replace(lower(v.referrer_host COLLATE "C"), ':[0-9]*$', ''), '^www\.', '') AS referrer,
           regexp_replace(regexp_replace(lower(v.url_host COLLATE "C"), ':[0-9]*$', ''), '^www\.', '') AS own
    FROM visits v
    LEFT JOIN LATERAL (SELECT * FROM clicks WHERE v.params ? name ORDER BY rank LIMIT 1) c ON true
    CROSS JOIN LATERAL (SELECT coalesce((regexp_match(v.url_query, '(?:^|&)source=([^&]+)'))[1],
        (regexp_match(v.url_query, '(?:^|&)ref=([^&]+)'))[1]) AS value) q
    -- Without its %, where that is text (UTF-8) in one line.
    CROSS JOIN LATERAL (
        SELECT CASE WHEN encode(bytes, 'hex') ~ ('^([2-6].|7[0-9a-e]|c2[ab].|(c[3-9a-f]|d.)[89ab].|e0[ab].[89ab].|e[1-9a-cef]([89ab].){2}'
                || '|ed[89].[89ab].|f0[9ab].([89ab].){2}|f[1-3]([89ab].){3}|f48.([89ab].){2})*$')
            THEN convert_from(bytes, 'UTF8') ELSE q.value END AS decoded
        FROM (SELECT string_agg(CASE WHEN part[1] ~ '^%..$' THEN decode(right(part[1], 2), 'hex')
                WHEN part[1] = '+' THEN ' '::bytea ELSE convert_to(part[1], 'UTF8') END, ''::bytea ORDER BY n) AS bytes
            FROM regexp_matches(q.value, '%[0-9A-Fa-f]{2}|[+]|[^%+]+|%', 'g') WITH ORDINALITY parts (part, n)) whole) d
),
external AS (
    SELECT *, CASE WHEN referrer <> '' AND referrer IS DISTINCT FROM own
               AND NOT EXISTS (SELECT 1 FROM unnest($4::text[]) domain
                               WHERE referrer = lower(domain) OR right(referrer, length(domain) + 1) = '.' || lower(domain))
               THEN referrer END AS site
    FROM raw
),
-- The known source of each origin.
known AS (
    SELECT came, k.channel, k.name
    FROM (SELECT DISTINCT coalesce(named, click, site) AS came FROM external) origins
    JOIN LATERAL (
        SELECT s.channel, s.name
        FROM unnest($7::text[], $8::text[], $9::text[]) s (host, channel, name),
             LATERAL (SELECT CASE
                 WHEN s.host LIKE '%.*'
                     THEN substring(came FROM '(?:^|\.)(' || left(s.host, -2) || '\.(?:(?:co|com)\.)?[a-z]+)$')
                 WHEN came = s.host OR s.host LIKE '%.%' AND right(came, length(s.host) + 1) = '.' || s.host
                     THEN s.host END AS matched) ends
        WHERE matched IS NOT NULL
        ORDER BY length(matched) DESC, s.host LIKE '%.*'
        LIMIT 1) k ON true
),
come AS (
    SELECT x.*, coalesce(named, click, site) AS origin, k.channel AS known_channel, k.name AS known_name
    FROM external x
    LEFT JOIN known k ON k.came = coalesce(named, click, site)
),
-- Visit rows with the attributes that a session may take from them.
attributed AS (
    SELECT come.*, coalesce(known_name, origin, 'direct') AS source,
           CASE WHEN is_paid_click OR medium IN ('cpc', 'ppc', 'cpm', 'cpv', 'cpa', 'cpp', 'paid', 'paidsearch',
                    'paid_search', 'paid-search', 'paidsocial', 'paid_social', 'paid-social', 'display', 'banner',
                    'retargeting') THEN 'paid'
                WHEN medium IN ('email', 'e-mail', 'mail', 'newsletter') THEN 'email'
                WHEN known_channel IS NOT NULL THEN known_channel
                WHEN medium IN ('social', 'social-media', 'social_media') THEN 'social'
                WHEN medium = 'organic' THEN 'search'
                WHEN named IS NOT NULL OR medium <> '' OR campaign <> '' THEN 'campaign'
                WHEN site IS NOT NULL THEN 'referral'
                ELSE 'direct' END AS channel,
           coalesce(z.country, '') AS country,
           CASE WHEN screen_width >= 1920 THEN '1920+' WHEN screen_width >= 1440 THEN '1440-1919'
                WHEN screen_width >= 992 THEN '992-1439' WHEN screen_width >= 576 THEN '576-991'
                WHEN screen_width >= 1 THEN '1-575' ELSE '' END AS screen
    FROM come
    LEFT JOIN unnest($5::text[], $6::text[]) z (zone, country) ON z.zone = time_zone
),
-- A session's first page view, or else its first row, comes first.
sessions AS (
    SELECT n.class, n.visitor_id, n.session, min(n.occurred_at) AS first_at, max(n.occurred_at) AS last_at,
           count(*) AS events, count(*) FILTER (WHERE is_view) AS page_views,
           (count(*) FILTER (WHERE user_id <> '') > 0)::int AS authenticated,
           (count(*) FILTER (WHERE is_view) = 1 AND count(*) FILTER (WHERE event_type <> 'pageview') = 0)::int AS bounces,
           (array_agg(place ORDER BY is_view DESC, place))[1] AS from_row,
           (array_agg(n.hour ORDER BY place))[1] AS hour,
           (array_agg(path ORDER BY place) FILTER (WHERE is_view))[1] AS entry_page,
           (array_agg(path ORDER BY place DESC) FILTER (WHERE is_view))[1] AS exit_page
    FROM numbered n
    GROUP BY n.class, n.visitor_id, n.session
),
-- Until when engagement makes a session longer.
engaged AS (
    SELECT e.class, e.visitor_id, e.session, max(e.occurred_at) AS until
    FROM sessions s
    JOIN reports e ON e.class = s.class AND e.visitor_id = s.visitor_id AND e.session = s.session
    WHERE e.event_type = 'engagement' AND e.occurred_at <= s.last_at + interval '30 minutes'
    GROUP BY e.class, e.visitor_id, e.session
),
timed AS (
    SELECT s.*, floor(extract(epoch FROM greatest(s.last_at, e.until) - s.first_at) * 1000)::bigint AS duration_ms,
           coalesce(r.engaged_ms, 0) AS engaged_ms, coalesce(r.timed_views, 0) AS timed_views,
           coalesce(r.scrolled_views, 0) AS scrolled_views, coalesce(r.scroll_percent, 0) AS scroll_percent
    FROM sessions s
    LEFT JOIN engaged e ON e.class = s.class AND e.visitor_id = s.visitor_id AND e.session = s.session
    LEFT JOIN (
        SELECT class, visitor_id, session, sum(engaged_ms) AS engaged_ms, count(*) FILTER (WHERE is_timed) AS timed_views,
               count(depth) AS scrolled_views, sum(depth) AS scroll_percent
        FROM reported
        GROUP BY class, visitor_id, session) r ON r.class = s.class AND r.visitor_id = s.visitor_id AND r.session = s.session
)
