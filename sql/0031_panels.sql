-- Panels of people: questions that are kept under a name, and how their answers are drawn.
CREATE TABLE stat_panels (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id     integer NOT NULL,
    name       text NOT NULL,
    folded     text NOT NULL,                           -- the name without capitals, by the program's rules
    drawing    text NOT NULL CHECK (drawing IN ('number', 'line', 'bars', 'table')),
    metrics    text[] NOT NULL,
    dimension  text,
    interval   text CHECK (interval IN ('hour', 'day', 'month')),
    filters    text[] NOT NULL,
    sum        text,
    most       integer NOT NULL CHECK (most BETWEEN 1 AND 100),
    visibility text NOT NULL CHECK (visibility IN ('personal', 'shared', 'public')),
    user_id    integer REFERENCES web_users (id) ON DELETE CASCADE,
    place      integer NOT NULL,                        -- from 1, without gaps among those that are ordered together
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((visibility = 'personal') = (user_id IS NOT NULL))
);
-- Those of one person have names of their own, and so have those of all.
CREATE UNIQUE INDEX stat_panels_names ON stat_panels (app_id, coalesce(user_id, 0), folded);

COMMENT ON TABLE stat_panels IS 'Panels: questions that are kept under a name, and how their answers are drawn.';
COMMENT ON COLUMN stat_panels.id IS 'Key';
COMMENT ON COLUMN stat_panels.app_id IS 'Application';
COMMENT ON COLUMN stat_panels.name IS 'Name, as it was written';
COMMENT ON COLUMN stat_panels.folded IS 'Name without capitals, by which panels are found';
COMMENT ON COLUMN stat_panels.drawing IS 'How the answer is drawn: number, line, bars or table';
COMMENT ON COLUMN stat_panels.metrics IS 'Numbers that are shown; values are ordered by the first';
COMMENT ON COLUMN stat_panels.dimension IS 'What is counted by; NULL: nothing, or times';
COMMENT ON COLUMN stat_panels.interval IS 'Times that are counted by: hour, day or month; NULL: none';
COMMENT ON COLUMN stat_panels.filters IS 'Filters, such as `country is DE`, of which all hold';
COMMENT ON COLUMN stat_panels.sum IS 'Property that is summed; NULL: none';
COMMENT ON COLUMN stat_panels.most IS 'The most values';
COMMENT ON COLUMN stat_panels.visibility IS 'personal: of one person alone; shared: of all who see the whole application; public: of shares and bound tokens, too';
COMMENT ON COLUMN stat_panels.user_id IS 'Person whose own it is; NULL: it is nobody''s own';
COMMENT ON COLUMN stat_panels.place IS 'Place among the person''s own panels, or among those that are nobody''s own';
COMMENT ON COLUMN stat_panels.created_by IS 'Who made it: the name of a person or token';
COMMENT ON COLUMN stat_panels.created_at IS 'When it was made';
