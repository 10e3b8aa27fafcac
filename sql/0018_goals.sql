-- Goals of applications: an event or a page that somebody wants visitors to reach. They are looked up when statistics are
-- asked for, so that no day is computed again for a goal.
CREATE TABLE stat_goals (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id     integer NOT NULL,
    name       text NOT NULL,
    event      text,                                    -- a type of event, or …
    page       text,                                    -- … a path, in which * is any text
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (app_id, name),
    CHECK (num_nonnulls(event, page) = 1)
);

COMMENT ON TABLE stat_goals IS 'Goals of applications, which visitors reach by an event or on a page.';
COMMENT ON COLUMN stat_goals.id IS 'Key';
COMMENT ON COLUMN stat_goals.app_id IS 'Application';
COMMENT ON COLUMN stat_goals.name IS 'Its name, by which statistics show it';
COMMENT ON COLUMN stat_goals.event IS 'Type of the events that reach it; NULL: it is a page';
COMMENT ON COLUMN stat_goals.page IS 'Path of the page views that reach it, in which * is any text; NULL: it is an event';
COMMENT ON COLUMN stat_goals.created_at IS 'When it was added';
