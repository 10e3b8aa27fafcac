-- Numbers that somebody sent of an application, or that a daemon took of itself and its host (application 0), for alerts.
CREATE TABLE alert_samples (
    at      timestamptz NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    id      bigint GENERATED ALWAYS AS IDENTITY,
    app_id  integer NOT NULL,
    host    text NOT NULL,
    sent_by text,
    sent_id text,
    numbers jsonb NOT NULL,
    PRIMARY KEY (app_id, at, id)
);
CREATE UNIQUE INDEX alert_samples_sent ON alert_samples (app_id, sent_id) WHERE sent_id IS NOT NULL;

COMMENT ON TABLE alert_samples IS 'Numbers that somebody sent, or that daemons took of themselves and their hosts.';
COMMENT ON COLUMN alert_samples.at IS 'When they were so';
COMMENT ON COLUMN alert_samples.made_at IS 'When they were stored';
COMMENT ON COLUMN alert_samples.id IS 'Tells apart what is of one time';
COMMENT ON COLUMN alert_samples.app_id IS 'Application; 0: the installation';
COMMENT ON COLUMN alert_samples.host IS 'What they are of';
COMMENT ON COLUMN alert_samples.sent_by IS 'The token or person that sent them; NULL: a daemon took them';
COMMENT ON COLUMN alert_samples.sent_id IS 'What the sender calls them: what is sent again is not stored again';
COMMENT ON COLUMN alert_samples.numbers IS 'Numbers by their names';
