-- Work that one process at a time may do on this database, whichever hosts could do it.

CREATE TABLE leases (
    name       text PRIMARY KEY,                        -- of the work
    holder     text NOT NULL,                           -- host, process id and a random number
    fence      bigint NOT NULL,                         -- larger for each holder: a write of an older one is refused
    expires_at timestamptz NOT NULL                     -- by the database's clock; whoever comes later may take it
);
