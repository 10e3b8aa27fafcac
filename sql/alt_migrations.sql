-- The applied migrations. `alt migrate` creates this table before the first migration.
CREATE TABLE alt_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
