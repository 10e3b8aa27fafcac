-- Statistics by what sessions have: their entry and exit page, and the attributes of one of their rows. A row without a
-- visitor has its own attributes, and no session. See naive_rows.sql.
SELECT class, dimension, value, sum(events), sum(page_views), count(DISTINCT visitor_id), count(session),
       sum(authenticated), sum(bounces), sum(duration_ms), sum(engaged_ms), sum(timed_views), sum(scrolled_views),
       sum(scroll_percent), 0
FROM (
    SELECT s.class, s.visitor_id, s.session, s.events, s.page_views, s.authenticated, s.bounces, s.duration_ms,
           s.engaged_ms, s.timed_views, s.scrolled_views, s.scroll_percent, pages.dimension, pages.value
    FROM timed s, LATERAL (VALUES ('entry_page', entry_page), ('exit_page', exit_page)) pages (dimension, value)
    WHERE pages.value IS NOT NULL
    UNION ALL
    SELECT s.class, s.visitor_id, s.session, s.events, s.page_views, s.authenticated, s.bounces, s.duration_ms,
           s.engaged_ms, s.timed_views, s.scrolled_views, s.scroll_percent, named.dimension, named.value
    FROM (
        SELECT class, visitor_id, session, events, page_views, authenticated, bounces, duration_ms, engaged_ms,
               timed_views, scrolled_views, scroll_percent, from_row
        FROM timed
        UNION ALL
        SELECT class, NULL, NULL, 1, (place IN (SELECT place FROM views))::int, 0, 0, 0, 0, 0, 0, 0, place
        FROM visits
        WHERE visitor_id IS NULL) s
    JOIN attributed a ON a.place = s.from_row,
    LATERAL (VALUES ('source', a.source), ('channel', a.channel), ('campaign', a.campaign), ('utm_medium', a.utm_medium),
        ('utm_term', a.utm_term), ('utm_content', a.utm_content), ('country', a.country), ('language', a.language),
        ('browser', a.browser), ('os', a.os), ('device', a.device), ('screen', a.screen)) named (dimension, value)
    ) every
GROUP BY class, dimension, value
