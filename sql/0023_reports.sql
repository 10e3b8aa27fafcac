-- Reports: the statistics of a day, a week or a month that is over, for channels. What is to be sent stands in alert_outbox,
-- with minus the report's key as its episode and the period's first day, counted from 1970-01-01, as its number.
CREATE TABLE stat_reports (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id     integer NOT NULL,
    name       text NOT NULL UNIQUE,
    every      text NOT NULL CHECK (every IN ('day', 'week', 'month')),
    language   text NOT NULL DEFAULT 'en',
    channels   text[] NOT NULL CHECK (cardinality(channels) > 0),
    told_until date NOT NULL,                           -- the last day that is told of
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE stat_reports IS 'Reports of statistics, which channels are sent when a period is over.';
COMMENT ON COLUMN stat_reports.id IS 'Key';
COMMENT ON COLUMN stat_reports.app_id IS 'Application';
COMMENT ON COLUMN stat_reports.name IS 'Its name';
COMMENT ON COLUMN stat_reports.every IS 'How long its periods are: day, week (Monday to Sunday), month';
COMMENT ON COLUMN stat_reports.language IS 'Language in which it is written';
COMMENT ON COLUMN stat_reports.channels IS 'Channels that it is sent to';
COMMENT ON COLUMN stat_reports.told_until IS 'Last day of the last period that was enqueued';
COMMENT ON COLUMN stat_reports.created_at IS 'When it was added';
COMMENT ON COLUMN alert_outbox.episode_id IS 'Alert; 0: a digest; below 0: a report';
COMMENT ON COLUMN alert_outbox.seq IS 'Number of the transition, of the digest, or of the first day of a report''s period';
