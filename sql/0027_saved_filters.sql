-- Segments of people: filters that an application keeps under a name. (`stat_segments` are parts of days.)
CREATE TABLE stat_saved_filters (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id     integer NOT NULL,
    name       text NOT NULL,
    folded     text NOT NULL,                           -- the name without capitals, by the program's rules
    filters    text[] NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('personal', 'shared', 'public')),
    user_id    integer REFERENCES web_users (id) ON DELETE CASCADE,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (app_id, folded),
    CHECK ((visibility = 'personal') = (user_id IS NOT NULL))
);

COMMENT ON TABLE stat_saved_filters IS 'Segments: filters that applications keep under a name, of which all hold.';
COMMENT ON COLUMN stat_saved_filters.id IS 'Key';
COMMENT ON COLUMN stat_saved_filters.app_id IS 'Application';
COMMENT ON COLUMN stat_saved_filters.name IS 'Name, as it was written';
COMMENT ON COLUMN stat_saved_filters.folded IS 'Name without capitals, by which segments are found';
COMMENT ON COLUMN stat_saved_filters.filters IS 'Filters, such as `country is DE`';
COMMENT ON COLUMN stat_saved_filters.visibility IS 'personal: of one person alone; shared: of all who see the whole application; public: of shares and bound tokens, too';
COMMENT ON COLUMN stat_saved_filters.user_id IS 'Person whose own it is; NULL: it is nobody''s own';
COMMENT ON COLUMN stat_saved_filters.created_by IS 'Who made it: the name of a person or token, or the account that ran the command';
COMMENT ON COLUMN stat_saved_filters.created_at IS 'When it was made';
