-- Who may use the API: people, tokens, shares, and the record of what they changed.

-- People. A password is an argon2id hash in the PHC format; without one, nobody signs in under this name.
CREATE TABLE web_users (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    is_owner   boolean NOT NULL DEFAULT false,          -- owner of every application, of users, tokens and the audit log
    password   text,
    totp       bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What a person may do with an application.
CREATE TABLE web_grants (
    user_id integer NOT NULL REFERENCES web_users (id) ON DELETE CASCADE,
    app_id  integer NOT NULL,
    role    text NOT NULL CHECK (role IN ('viewer', 'editor', 'owner')),
    PRIMARY KEY (user_id, app_id)
);

-- Tokens for programs. Only the SHA-256 of the secret is kept. One that belongs to a person may do what both it and the
-- person may do, and goes with the person.
CREATE TABLE web_tokens (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret       bytea NOT NULL UNIQUE,
    name         text NOT NULL,
    user_id      integer REFERENCES web_users (id) ON DELETE CASCADE,
    apps         integer[],                             -- NULL: all applications
    role         text NOT NULL CHECK (role IN ('viewer', 'editor', 'owner')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,                           -- written at most once a minute
    revoked_at   timestamptz
);

-- Links that show the statistics of one application to whoever has them.
CREATE TABLE web_shares (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret     bytea NOT NULL UNIQUE,
    name       text NOT NULL,
    app_id     integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);

-- Every change by the API and by `alt user` and `alt token`, in the change's own transaction. No secret is in it.
CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL,                           -- token, command
    actor_id   integer,
    actor      text NOT NULL,                           -- its name at that time
    address    inet,
    action     text NOT NULL,                           -- token.add, user.grant …
    object     text NOT NULL,
    before     jsonb,
    after      jsonb
);

COMMENT ON TABLE web_users IS 'People who may use the API.';
COMMENT ON COLUMN web_users.id IS 'Key';
COMMENT ON COLUMN web_users.name IS 'Name by which the person signs in';
COMMENT ON COLUMN web_users.is_owner IS 'Owner of every application, of users, tokens and the audit log';
COMMENT ON COLUMN web_users.password IS 'argon2id hash of the password; NULL: there is none';
COMMENT ON COLUMN web_users.totp IS 'Secret of the second factor; NULL: there is none';
COMMENT ON COLUMN web_users.created_at IS 'When the person was added';
COMMENT ON TABLE web_grants IS 'What people may do with applications.';
COMMENT ON COLUMN web_grants.user_id IS 'Person';
COMMENT ON COLUMN web_grants.app_id IS 'Application';
COMMENT ON COLUMN web_grants.role IS 'viewer, editor or owner';
COMMENT ON TABLE web_tokens IS 'Tokens by which programs use the API.';
COMMENT ON COLUMN web_tokens.id IS 'Key';
COMMENT ON COLUMN web_tokens.secret IS 'SHA-256 of the secret';
COMMENT ON COLUMN web_tokens.name IS 'What it is for';
COMMENT ON COLUMN web_tokens.user_id IS 'Person to whom it belongs; NULL: it is of the installation';
COMMENT ON COLUMN web_tokens.apps IS 'Applications; NULL: all';
COMMENT ON COLUMN web_tokens.role IS 'The most that it may do: viewer, editor or owner';
COMMENT ON COLUMN web_tokens.created_at IS 'When it was made';
COMMENT ON COLUMN web_tokens.expires_at IS 'When it ends; NULL: never';
COMMENT ON COLUMN web_tokens.last_used_at IS 'When it was last used, to a minute';
COMMENT ON COLUMN web_tokens.revoked_at IS 'When it was revoked; NULL: it was not';
COMMENT ON TABLE web_shares IS 'Links to the statistics of an application.';
COMMENT ON COLUMN web_shares.id IS 'Key';
COMMENT ON COLUMN web_shares.secret IS 'SHA-256 of the secret in the link';
COMMENT ON COLUMN web_shares.name IS 'What it is for';
COMMENT ON COLUMN web_shares.app_id IS 'Application';
COMMENT ON COLUMN web_shares.created_at IS 'When it was made';
COMMENT ON COLUMN web_shares.expires_at IS 'When it ends; NULL: never';
COMMENT ON COLUMN web_shares.revoked_at IS 'When it was revoked; NULL: it was not';
COMMENT ON TABLE audit_log IS 'Changes by the API and by commands.';
COMMENT ON COLUMN audit_log.id IS 'Key';
COMMENT ON COLUMN audit_log.at IS 'When';
COMMENT ON COLUMN audit_log.actor_kind IS 'token or command';
COMMENT ON COLUMN audit_log.actor_id IS 'Key of the token';
COMMENT ON COLUMN audit_log.actor IS 'Name of the token, or account of the command';
COMMENT ON COLUMN audit_log.address IS 'Address of the client';
COMMENT ON COLUMN audit_log.action IS 'What was done';
COMMENT ON COLUMN audit_log.object IS 'With what';
COMMENT ON COLUMN audit_log.before IS 'What it was before; NULL: it was not there';
COMMENT ON COLUMN audit_log.after IS 'What it is now; NULL: it is gone';
