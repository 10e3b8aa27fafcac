/work/wt/alerts3/benches/traffic/target/debug/deps/traffic-f3d061729a066ae5.d: src/lib.rs src/random.rs src/text.rs src/world.rs

/work/wt/alerts3/benches/traffic/target/debug/deps/libtraffic-f3d061729a066ae5.rmeta: src/lib.rs src/random.rs src/text.rs src/world.rs

src/lib.rs:
src/random.rs:
src/text.rs:
src/world.rs:
