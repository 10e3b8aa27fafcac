-- Properties of events: which of an application's own parameters the segments of days keep.
ALTER TABLE applications ADD COLUMN properties text[] NOT NULL DEFAULT '{}';

-- Goals that only some of their events reach, and what these are worth.
ALTER TABLE stat_goals ADD COLUMN conditions text[] NOT NULL DEFAULT '{}';
ALTER TABLE stat_goals ADD COLUMN worth text;

COMMENT ON COLUMN applications.properties IS 'Parameters of events that statistics keep the values of';
COMMENT ON COLUMN stat_goals.conditions IS 'What has to be true of the events, too: filters such as product is 17';
COMMENT ON COLUMN stat_goals.worth IS 'Property whose number the events are worth; NULL: their own revenue';
