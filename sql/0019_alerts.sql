-- Alerts: rules, what they are judged by, what became of them, and the messages about it. All times of rules, buckets,
-- changes, acts and episodes are times of the events, and not of a clock.

CREATE TABLE alert_rules (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A rule as it was and is. A window that ends at from_at or later is judged by it, until the next version. text is the
-- rule's table of TOML; NULL: the rule was removed.
CREATE TABLE alert_rule_versions (
    rule_id integer NOT NULL REFERENCES alert_rules (id) ON DELETE CASCADE,
    version integer NOT NULL,
    from_at timestamptz NOT NULL,
    text    text,
    made_at timestamptz NOT NULL DEFAULT now(),
    made_by text NOT NULL,
    PRIMARY KEY (rule_id, version)
);

-- How far each live source of each host is loaded: everything in its files until upto is committed.
CREATE TABLE alert_sources (
    host    text NOT NULL,
    source  text NOT NULL,
    upto    timestamptz NOT NULL,
    beat_at timestamptz NOT NULL DEFAULT now(),         -- when its daemon was last seen to live
    PRIMARY KEY (host, source)
);

-- Which source brought rows of which application, and the last UTC hour since 1970 in which it did.
CREATE TABLE alert_feeds (
    host   text NOT NULL,
    source text NOT NULL,
    app_id integer NOT NULL,
    hour   integer NOT NULL,
    PRIMARY KEY (host, source, app_id)
);

-- How far each application is judged.
CREATE TABLE alert_apps (
    app_id    integer PRIMARY KEY,
    judged_at timestamptz NOT NULL,
    partial   boolean NOT NULL DEFAULT false            -- when it was last judged, a source was behind and left out
);

-- Times of which the rows, the rules or the acts of people have changed. Rows are added and deleted, never updated:
-- whoever judges deletes the ids that it read before it read anything else.
CREATE TABLE alert_dirty (
    app_id    integer NOT NULL,
    from_at   timestamptz NOT NULL,
    until_at  timestamptz NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    marked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app_id, id)
);

-- What rules look at: events that are kept, and the columns by which they are told apart.
CREATE TABLE alert_lenses (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL UNIQUE
);

-- What was counted. Columns from wide to narrow. series is the hash of labels, which may be too long for an index.
CREATE TABLE alert_buckets (
    at      timestamptz NOT NULL,
    app_id  integer NOT NULL,
    lens_id integer NOT NULL,
    seconds integer NOT NULL,                           -- 5, later 60, later 3600
    series  bigint NOT NULL,
    labels  text[] NOT NULL,
    counts  bigint[] NOT NULL,
    PRIMARY KEY (app_id, lens_id, at, seconds, series)
);

-- What has a state: a rule, an application, and labels.
CREATE TABLE alert_keys (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series   bigint NOT NULL,                           -- hash of labels
    quiet_at timestamptz,                               -- since when nothing is wrong; NULL: something is
    rule_id  integer NOT NULL,
    app_id   integer NOT NULL,
    labels   jsonb NOT NULL,
    UNIQUE (app_id, rule_id, series)
);
CREATE INDEX alert_keys_app ON alert_keys (app_id, quiet_at);

-- From this time on, a key has this state.
CREATE TABLE alert_changes (
    key_id   bigint NOT NULL,
    at       timestamptz NOT NULL,
    since_at timestamptz,                               -- pending, recovering: since when
    until_at timestamptz,                               -- acknowledged: until when
    state    text NOT NULL,
    PRIMARY KEY (key_id, at)
);

-- What people did to a key, at the time up to which the application was judged then.
CREATE TABLE alert_acts (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id   bigint NOT NULL,
    at       timestamptz NOT NULL,
    until_at timestamptz,                               -- acknowledge: until when
    done_at  timestamptz NOT NULL DEFAULT now(),
    kind     text NOT NULL CHECK (kind IN ('acknowledge', 'resolve')),
    done_by  text NOT NULL,
    note     text
);
CREATE INDEX alert_acts_key ON alert_acts (key_id, at);

-- The alerts: times in which a key is open.
CREATE TABLE alert_episodes (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id        bigint NOT NULL,
    began_at      timestamptz NOT NULL,
    ended_at      timestamptz,
    superseded_by bigint,                               -- it is a part of that one
    corrected_at  timestamptz,                          -- when late data said that it never was
    value         double precision,                     -- when it began
    threshold     double precision,
    seq           integer NOT NULL DEFAULT 0,           -- of its last transition
    rule_id       integer NOT NULL,
    app_id        integer NOT NULL,
    by_hand       boolean NOT NULL DEFAULT false,
    partial       boolean NOT NULL DEFAULT false,       -- judged while a source was behind
    severity      text NOT NULL,
    state         text NOT NULL,                        -- active, acknowledged, recovering, resolved, corrected, superseded
    title         text NOT NULL,
    channels      text[] NOT NULL
);
CREATE INDEX alert_episodes_key ON alert_episodes (key_id, began_at);
CREATE INDEX alert_episodes_open ON alert_episodes (app_id) WHERE ended_at IS NULL;
CREATE INDEX alert_episodes_began ON alert_episodes (began_at);

-- What became of alerts, in the order in which it was found.
CREATE TABLE alert_transitions (
    episode_id bigint NOT NULL,
    seq        integer NOT NULL,
    at         timestamptz NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    value      double precision,
    kind       text NOT NULL,                           -- firing, acknowledged, resolved, corrected, superseded
    PRIMARY KEY (episode_id, seq)
);

-- Messages: a transition for a channel. Those of digests have the episode 0. Rows stay as long as their episode, so that
-- no transition is enqueued twice.
CREATE TABLE alert_outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    episode_id bigint NOT NULL,
    digest     integer,                                 -- the digest in which it was told
    made_at    timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL DEFAULT now(),
    done_at    timestamptz,
    seq        integer NOT NULL,
    attempts   integer NOT NULL DEFAULT 0,
    channel    text NOT NULL,
    state      text NOT NULL DEFAULT 'due'
        CHECK (state IN ('due', 'silenced', 'flapping', 'late', 'sent', 'dead', 'moved', 'dropped', 'digested')),
    error      text,                                    -- why the last attempt did not succeed
    UNIQUE (episode_id, seq, channel)
);
CREATE INDEX alert_outbox_due ON alert_outbox (due_at) WHERE state = 'due';
CREATE INDEX alert_outbox_held ON alert_outbox (channel) WHERE state IN ('silenced', 'flapping', 'late');

-- Channels that take no messages any more, because their receiver said so (410).
CREATE TABLE alert_channels (
    name        text PRIMARY KEY,
    disabled_at timestamptz NOT NULL DEFAULT now(),
    why         text NOT NULL
);

-- Alerts of which nobody is told for a time. In rule, application and labels, * is any text.
CREATE TABLE alert_silences (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule        text NOT NULL DEFAULT '*',
    application text NOT NULL DEFAULT '*',
    labels      jsonb NOT NULL DEFAULT '{}',
    from_at     timestamptz NOT NULL DEFAULT now(),
    until_at    timestamptz NOT NULL,
    made_by     text NOT NULL,
    note        text
);

COMMENT ON TABLE alert_rules IS 'Rules of alerts.';
COMMENT ON COLUMN alert_rules.id IS 'Key';
COMMENT ON COLUMN alert_rules.name IS 'Its name, over all versions';
COMMENT ON COLUMN alert_rules.created_at IS 'When it was added';
COMMENT ON TABLE alert_rule_versions IS 'Rules as they were and are.';
COMMENT ON COLUMN alert_rule_versions.rule_id IS 'Rule';
COMMENT ON COLUMN alert_rule_versions.version IS 'Number of the version, from 1';
COMMENT ON COLUMN alert_rule_versions.from_at IS 'Windows that end then or later are judged by it, until the next version';
COMMENT ON COLUMN alert_rule_versions.text IS 'The rule as a table of TOML; NULL: it was removed';
COMMENT ON COLUMN alert_rule_versions.made_at IS 'When it was made';
COMMENT ON COLUMN alert_rule_versions.made_by IS 'Who made it';
COMMENT ON TABLE alert_sources IS 'How far the live sources are loaded.';
COMMENT ON COLUMN alert_sources.host IS 'Host';
COMMENT ON COLUMN alert_sources.source IS 'The paths of the source';
COMMENT ON COLUMN alert_sources.upto IS 'Everything in its files until then is committed';
COMMENT ON COLUMN alert_sources.beat_at IS 'When its daemon was last seen to live';
COMMENT ON TABLE alert_feeds IS 'Which source brought rows of which application.';
COMMENT ON COLUMN alert_feeds.host IS 'Host';
COMMENT ON COLUMN alert_feeds.source IS 'Source: the followed path that the file belongs to';
COMMENT ON COLUMN alert_feeds.app_id IS 'Application';
COMMENT ON COLUMN alert_feeds.hour IS 'The last UTC hour since 1970 in which it did';
COMMENT ON TABLE alert_apps IS 'How far the applications are judged.';
COMMENT ON COLUMN alert_apps.app_id IS 'Application';
COMMENT ON COLUMN alert_apps.judged_at IS 'The end of the last window that was judged';
COMMENT ON COLUMN alert_apps.partial IS 'When it was last judged, a source was behind and left out';
COMMENT ON TABLE alert_dirty IS 'Times of which rows, rules or acts have changed since they were judged.';
COMMENT ON COLUMN alert_dirty.app_id IS 'Application';
COMMENT ON COLUMN alert_dirty.from_at IS 'Beginning of the time';
COMMENT ON COLUMN alert_dirty.until_at IS 'End of the time';
COMMENT ON COLUMN alert_dirty.id IS 'Number of the mark';
COMMENT ON COLUMN alert_dirty.marked_at IS 'When the change was seen';
COMMENT ON TABLE alert_lenses IS 'What rules look at.';
COMMENT ON COLUMN alert_lenses.id IS 'Key';
COMMENT ON COLUMN alert_lenses.text IS 'Which events are kept, and by what they are told apart';
COMMENT ON TABLE alert_buckets IS 'Counts of events by slots of time.';
COMMENT ON COLUMN alert_buckets.at IS 'Beginning of the slot';
COMMENT ON COLUMN alert_buckets.app_id IS 'Application';
COMMENT ON COLUMN alert_buckets.lens_id IS 'Lens';
COMMENT ON COLUMN alert_buckets.seconds IS 'Length of the slot: 5, 60 or 3600';
COMMENT ON COLUMN alert_buckets.series IS 'First 8 bytes of BLAKE3 of labels';
COMMENT ON COLUMN alert_buckets.labels IS 'Values of the columns of the lens';
COMMENT ON COLUMN alert_buckets.counts IS 'What was counted, in a fixed order; zeros at the end are left out';
COMMENT ON TABLE alert_keys IS 'What has a state: a rule, an application, and labels.';
COMMENT ON COLUMN alert_keys.id IS 'Key';
COMMENT ON COLUMN alert_keys.series IS 'First 8 bytes of BLAKE3 of labels';
COMMENT ON COLUMN alert_keys.quiet_at IS 'Since when it is inactive; NULL: it is not';
COMMENT ON COLUMN alert_keys.rule_id IS 'Rule';
COMMENT ON COLUMN alert_keys.app_id IS 'Application';
COMMENT ON COLUMN alert_keys.labels IS 'What tells it from others of the rule and the application';
COMMENT ON TABLE alert_changes IS 'The states of keys over time.';
COMMENT ON COLUMN alert_changes.key_id IS 'Key';
COMMENT ON COLUMN alert_changes.at IS 'From when on it has the state';
COMMENT ON COLUMN alert_changes.since_at IS 'Of pending and recovering: since when';
COMMENT ON COLUMN alert_changes.until_at IS 'Of an acknowledgement: until when';
COMMENT ON COLUMN alert_changes.state IS 'State';
COMMENT ON TABLE alert_acts IS 'What people did to alerts.';
COMMENT ON COLUMN alert_acts.id IS 'Number of the act';
COMMENT ON COLUMN alert_acts.key_id IS 'Key';
COMMENT ON COLUMN alert_acts.at IS 'When, in the time of the events';
COMMENT ON COLUMN alert_acts.until_at IS 'Of an acknowledgement: until when';
COMMENT ON COLUMN alert_acts.done_at IS 'When, by the clock';
COMMENT ON COLUMN alert_acts.kind IS 'acknowledge or resolve';
COMMENT ON COLUMN alert_acts.done_by IS 'Who';
COMMENT ON COLUMN alert_acts.note IS 'What they wrote';
COMMENT ON TABLE alert_episodes IS 'Alerts: the times in which a rule fires for an application and labels.';
COMMENT ON COLUMN alert_episodes.id IS 'Number of the alert';
COMMENT ON COLUMN alert_episodes.key_id IS 'Key';
COMMENT ON COLUMN alert_episodes.began_at IS 'When it began, in the time of the events';
COMMENT ON COLUMN alert_episodes.ended_at IS 'When it ended; NULL: it is open';
COMMENT ON COLUMN alert_episodes.superseded_by IS 'Number of the alert of which it is a part';
COMMENT ON COLUMN alert_episodes.corrected_at IS 'When late data said that it never was';
COMMENT ON COLUMN alert_episodes.value IS 'What was measured when it began';
COMMENT ON COLUMN alert_episodes.threshold IS 'What that was compared with';
COMMENT ON COLUMN alert_episodes.seq IS 'Number of its last transition';
COMMENT ON COLUMN alert_episodes.rule_id IS 'Rule';
COMMENT ON COLUMN alert_episodes.app_id IS 'Application';
COMMENT ON COLUMN alert_episodes.by_hand IS 'A person ended it';
COMMENT ON COLUMN alert_episodes.partial IS 'It was judged while a source was behind';
COMMENT ON COLUMN alert_episodes.severity IS 'low, medium, high or critical';
COMMENT ON COLUMN alert_episodes.state IS 'active, acknowledged, recovering, resolved, corrected or superseded';
COMMENT ON COLUMN alert_episodes.title IS 'What is the matter, in one line';
COMMENT ON COLUMN alert_episodes.channels IS 'Who is told';
COMMENT ON TABLE alert_transitions IS 'What became of alerts.';
COMMENT ON COLUMN alert_transitions.episode_id IS 'Alert';
COMMENT ON COLUMN alert_transitions.seq IS 'Number of the transition, from 1';
COMMENT ON COLUMN alert_transitions.at IS 'When, in the time of the events';
COMMENT ON COLUMN alert_transitions.made_at IS 'When it was found, by the clock';
COMMENT ON COLUMN alert_transitions.value IS 'What was measured then';
COMMENT ON COLUMN alert_transitions.kind IS 'firing, acknowledged, resolved, corrected or superseded';
COMMENT ON TABLE alert_outbox IS 'Messages to channels: one for a transition and a channel.';
COMMENT ON COLUMN alert_outbox.id IS 'Key';
COMMENT ON COLUMN alert_outbox.episode_id IS 'Alert; 0: a digest';
COMMENT ON COLUMN alert_outbox.digest IS 'Number of the digest in which it was told';
COMMENT ON COLUMN alert_outbox.made_at IS 'When it was enqueued';
COMMENT ON COLUMN alert_outbox.due_at IS 'When it is to be sent';
COMMENT ON COLUMN alert_outbox.done_at IS 'When it was sent or given up';
COMMENT ON COLUMN alert_outbox.seq IS 'Number of the transition, or of the digest';
COMMENT ON COLUMN alert_outbox.attempts IS 'Attempts that were made';
COMMENT ON COLUMN alert_outbox.channel IS 'Channel';
COMMENT ON COLUMN alert_outbox.state IS 'due; held (silenced, flapping, late); or done (sent, dead, moved, dropped, digested)';
COMMENT ON COLUMN alert_outbox.error IS 'Why the last attempt did not succeed';
COMMENT ON TABLE alert_channels IS 'Channels that take no messages any more.';
COMMENT ON COLUMN alert_channels.name IS 'Name in the configuration';
COMMENT ON COLUMN alert_channels.disabled_at IS 'Since when';
COMMENT ON COLUMN alert_channels.why IS 'Why';
COMMENT ON TABLE alert_silences IS 'Alerts of which nobody is told for a time.';
COMMENT ON COLUMN alert_silences.id IS 'Key';
COMMENT ON COLUMN alert_silences.rule IS 'Names of rules, in which * is any text';
COMMENT ON COLUMN alert_silences.application IS 'Keys of applications, in which * is any text';
COMMENT ON COLUMN alert_silences.labels IS 'Values of labels, in which * is any text';
COMMENT ON COLUMN alert_silences.from_at IS 'When it begins';
COMMENT ON COLUMN alert_silences.until_at IS 'When it ends';
COMMENT ON COLUMN alert_silences.made_by IS 'Who made it';
COMMENT ON COLUMN alert_silences.note IS 'Why';
