-- What the page views of an application are: events that its pages send, or requests of its site's own log.
ALTER TABLE applications ADD COLUMN page_views text NOT NULL DEFAULT 'events' CHECK (page_views IN ('events', 'requests'));

COMMENT ON COLUMN applications.page_views IS 'events: page views are events; requests: GETs that were answered with a page are page views, too';
