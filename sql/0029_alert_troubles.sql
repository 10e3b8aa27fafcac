-- Why rules cannot be judged, as long as they cannot: all of an application or of the installation, or one of them.
CREATE TABLE alert_troubles (
    app_id   integer NOT NULL,
    rule_id  integer NOT NULL,                          -- 0: all of them
    since_at timestamptz NOT NULL DEFAULT now(),
    reason   text NOT NULL CHECK (reason IN ('no_source', 'too_many', 'too_slow', 'failed')),
    why      text NOT NULL,
    PRIMARY KEY (app_id, rule_id)
);

COMMENT ON TABLE alert_troubles IS 'Why the rules of applications cannot be judged, as long as they cannot.';
COMMENT ON COLUMN alert_troubles.app_id IS 'Application; 0: the installation';
COMMENT ON COLUMN alert_troubles.rule_id IS 'Rule; 0: all rules of the application';
COMMENT ON COLUMN alert_troubles.since_at IS 'Since when they cannot be judged, by the clock';
COMMENT ON COLUMN alert_troubles.reason IS 'no_source: no daemon says how far it is; too_many: too many series; too_slow: the database takes too long; failed: anything else';
COMMENT ON COLUMN alert_troubles.why IS 'What the last attempt said';
