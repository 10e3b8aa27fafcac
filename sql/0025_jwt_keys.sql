-- Keys that sign JSON Web Tokens, which are given in exchange for tokens (RFC 7519, HS256).
CREATE TABLE web_keys (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE web_keys IS 'Keys that sign the JSON Web Tokens which are given in exchange for tokens.';
COMMENT ON COLUMN web_keys.id IS 'Key; `kid` of what it signs';
COMMENT ON COLUMN web_keys.secret IS 'Key of HMAC-SHA-256';
COMMENT ON COLUMN web_keys.created_at IS 'When it was made; it signs for 30 days';
