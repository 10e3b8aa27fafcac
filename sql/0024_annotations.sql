-- Annotations: what happened on a day of an application (a release, a newsletter), shown beside its statistics.
CREATE TABLE stat_annotations (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app_id     integer NOT NULL,
    day        date NOT NULL,
    text       text NOT NULL,
    is_public  boolean NOT NULL DEFAULT false,          -- whether shares show it
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stat_annotations_of_day ON stat_annotations (app_id, day, id);

COMMENT ON TABLE stat_annotations IS 'What happened on days of applications, shown beside their statistics.';
COMMENT ON COLUMN stat_annotations.id IS 'Key';
COMMENT ON COLUMN stat_annotations.app_id IS 'Application';
COMMENT ON COLUMN stat_annotations.day IS 'Day, by the application''s time zone';
COMMENT ON COLUMN stat_annotations.text IS 'What happened';
COMMENT ON COLUMN stat_annotations.is_public IS 'Whether shares show it, and readers who are bound to filters';
COMMENT ON COLUMN stat_annotations.created_at IS 'When it was added';

-- Reports have names within their application: its editors manage them.
ALTER TABLE stat_reports DROP CONSTRAINT stat_reports_name_key;
ALTER TABLE stat_reports ADD CONSTRAINT stat_reports_name_key UNIQUE (app_id, name);
