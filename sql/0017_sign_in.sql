-- Signing in: sessions, one-time links, the second factor; and filters and passwords that bind tokens and shares.

-- A code of the second factor is used once: the step of time of the last one. A second factor that is being set up is not
-- asked for yet.
ALTER TABLE web_users
    ADD COLUMN password_at timestamptz,
    ADD COLUMN totp_step bigint,
    ADD COLUMN totp_new bytea;

-- What a token or a share may know of at all: conditions, all of which hold. NULL: everything.
ALTER TABLE web_tokens ADD COLUMN filter text[];
ALTER TABLE web_shares ADD COLUMN filter text[], ADD COLUMN password text;

-- Browsers that are signed in: of a person, or, with its password, of a share. Only the SHA-256 of the cookie is kept.
CREATE TABLE web_sessions (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret     bytea NOT NULL UNIQUE,
    user_id    integer REFERENCES web_users (id) ON DELETE CASCADE,
    share_id   integer REFERENCES web_shares (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz NOT NULL DEFAULT now(),      -- written at most once a minute
    expires_at timestamptz NOT NULL,
    address    inet,
    CHECK (num_nonnulls(user_id, share_id) = 1)
);

CREATE INDEX web_sessions_user ON web_sessions (user_id);
CREATE INDEX web_sessions_share ON web_sessions (share_id);
CREATE INDEX web_sessions_end ON web_sessions (expires_at);

-- Links by which a person signs in once, and sets a password. Only the SHA-256 of the secret is kept.
CREATE TABLE web_links (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret     bytea NOT NULL UNIQUE,
    user_id    integer NOT NULL REFERENCES web_users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE INDEX web_links_user ON web_links (user_id);

COMMENT ON COLUMN web_users.password_at IS 'When the password was set';
COMMENT ON COLUMN web_users.totp_step IS 'Step of time of the last code of the second factor: none up to it is taken again';
COMMENT ON COLUMN web_users.totp_new IS 'Secret of a second factor that is not confirmed yet';
COMMENT ON COLUMN web_tokens.filter IS 'Conditions, all of which hold for what it sees; NULL: it sees everything';
COMMENT ON COLUMN web_shares.filter IS 'Conditions, all of which hold for what it shows; NULL: it shows everything';
COMMENT ON COLUMN web_shares.password IS 'argon2id hash of its password; NULL: there is none';
COMMENT ON TABLE web_sessions IS 'Browsers that are signed in.';
COMMENT ON COLUMN web_sessions.id IS 'Key';
COMMENT ON COLUMN web_sessions.secret IS 'SHA-256 of the secret in the cookie';
COMMENT ON COLUMN web_sessions.user_id IS 'Person; NULL: it is of a share';
COMMENT ON COLUMN web_sessions.share_id IS 'Share; NULL: it is of a person';
COMMENT ON COLUMN web_sessions.created_at IS 'When it began';
COMMENT ON COLUMN web_sessions.used_at IS 'When it was last used, to a minute';
COMMENT ON COLUMN web_sessions.expires_at IS 'When it ends at the latest';
COMMENT ON COLUMN web_sessions.address IS 'Address of the client that signed in';
COMMENT ON TABLE web_links IS 'Links by which people sign in once.';
COMMENT ON COLUMN web_links.id IS 'Key';
COMMENT ON COLUMN web_links.secret IS 'SHA-256 of the secret in the link';
COMMENT ON COLUMN web_links.user_id IS 'Person';
COMMENT ON COLUMN web_links.created_at IS 'When it was made';
COMMENT ON COLUMN web_links.expires_at IS 'When it ends';
COMMENT ON COLUMN web_links.used_at IS 'When it was used; NULL: it was not';
