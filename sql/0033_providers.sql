-- Signing in by a provider of OpenID Connect.

-- Who somebody is to a provider. Whoever was removed stays known here, so that nobody whom an operator removed comes back.
CREATE TABLE web_identities (
    issuer     text NOT NULL,
    subject    text NOT NULL,
    user_id    integer UNIQUE REFERENCES web_users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);

-- What was begun at a provider and is not finished: of the browser's cookie and of what the provider gives back, the SHA-256.
CREATE TABLE web_flows (
    browser    bytea PRIMARY KEY,
    state      bytea UNIQUE,                            -- NULL: the provider has answered
    user_id    integer REFERENCES web_users (id) ON DELETE CASCADE,
    subject    text,
    next       text NOT NULL,
    expires_at timestamptz NOT NULL,
    CHECK (num_nonnulls(state, user_id) = 1 AND num_nonnulls(state, subject) = 1)
);

CREATE INDEX web_flows_end ON web_flows (expires_at);
CREATE INDEX web_flows_user ON web_flows (user_id);

COMMENT ON TABLE web_identities IS 'Who somebody is to a provider of OpenID Connect.';
COMMENT ON COLUMN web_identities.issuer IS 'Provider: its issuer';
COMMENT ON COLUMN web_identities.subject IS 'What the provider calls the person; it never changes';
COMMENT ON COLUMN web_identities.user_id IS 'Person; NULL: was removed';
COMMENT ON COLUMN web_identities.created_at IS 'When the person first signed in by it';
COMMENT ON TABLE web_flows IS 'Browsers that were sent to a provider of OpenID Connect, and are not signed in yet.';
COMMENT ON COLUMN web_flows.browser IS 'SHA-256 of the secret in the cookie';
COMMENT ON COLUMN web_flows.state IS 'SHA-256 of the value that the provider gives back, once; NULL: it has';
COMMENT ON COLUMN web_flows.user_id IS 'Person whom the provider has named, and whose second factor is asked for; NULL: it has not answered yet';
COMMENT ON COLUMN web_flows.subject IS 'What the provider calls this person, who is bound to it with the second factor';
COMMENT ON COLUMN web_flows.next IS 'Where the browser goes once it is signed in: a path of this server';
COMMENT ON COLUMN web_flows.expires_at IS 'When it ends';
