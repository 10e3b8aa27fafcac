/work/wt/alerts3/benches/traffic/target/debug/deps/traffic-4661f5c7e56db468.d: src/main.rs

/work/wt/alerts3/benches/traffic/target/debug/deps/libtraffic-4661f5c7e56db468.rmeta: src/main.rs

src/main.rs:
