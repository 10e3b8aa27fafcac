-- Daemons, and when each was last seen: within minutes, it is known that one is gone.
CREATE TABLE daemons (
    host       text NOT NULL,
    config     text NOT NULL,                           -- path of its configuration
    version    text NOT NULL,
    sources    integer NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    ended_at   timestamptz,                             -- when it was told to stop, and did
    lag        double precision,                        -- seconds; NULL: not known yet
    PRIMARY KEY (host, config)
) WITH (fillfactor = 50);

COMMENT ON TABLE daemons IS 'Daemons that run or ran, by their host and their configuration.';
COMMENT ON COLUMN daemons.host IS 'Host';
COMMENT ON COLUMN daemons.config IS 'Path of the configuration file';
COMMENT ON COLUMN daemons.version IS 'Version of alt';
COMMENT ON COLUMN daemons.sources IS 'How many sources it follows';
COMMENT ON COLUMN daemons.started_at IS 'When it started, or read its configuration again';
COMMENT ON COLUMN daemons.seen_at IS 'When it last said that it runs';
COMMENT ON COLUMN daemons.lag IS 'For how long the oldest line that is not loaded had been there when it was last seen, seconds; NULL: not known yet';
COMMENT ON COLUMN daemons.ended_at IS 'When it ended because it was told to; NULL while it runs, and if it ended in another way';
