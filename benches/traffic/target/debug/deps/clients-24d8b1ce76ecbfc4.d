/work/wt/alerts3/benches/traffic/target/debug/deps/clients-24d8b1ce76ecbfc4.d: src/bin/clients.rs

/work/wt/alerts3/benches/traffic/target/debug/deps/libclients-24d8b1ce76ecbfc4.rmeta: src/bin/clients.rs

src/bin/clients.rs:
