//! Configurations, of a file and the environment.

use std::collections::BTreeMap;
use std::path::Path;

use alt_config::{Config, Place};
use alt_line::parse::Format;
use alt_store::connect;

/// A file, and after a NUL lines `NAME=VALUE` of environment variables.
///
/// It is valid, or there are problems, each with a place that there is. What is valid can be used: its formats compile,
/// its networks are such, its paths lead from the root. The database's URL is read by the same rules twice.
pub fn config(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0).map(String::from_utf8_lossy);
    let (text, variables) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let variables: BTreeMap<&str, &str> =
        variables.split('\n').filter_map(|line| line.split_once('=')).collect();
    let env = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let config = match Config::from_str(&text, env) {
        Ok(config) => config,
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused for nothing");
            for problem in &problems.0 {
                let is_there = match &problem.place {
                    Place::Line(line) => (1..=text.split('\n').count()).contains(line),
                    Place::Variable(name) => name.starts_with("ALT_"),
                    Place::Whole => true,
                };
                assert!(is_there && !problem.what.is_empty(), "{problem:?}");
            }
            return;
        }
    };
    assert!(!config.sources.is_empty());
    for source in &config.sources {
        let format = Format::of(&source.spec()).unwrap_or_else(|e| panic!("{e}: {source:?}"));
        assert!(format.carries_app() || source.spec().names_app(), "nobody's lines: {source:?}");
        let paths = source.paths.iter().chain(&source.rotated);
        assert!(!source.paths.is_empty() && paths.into_iter().all(|path| Path::new(path).is_absolute()));
    }
    config.track.terms().unwrap_or_else(|e| panic!("{e}"));
    assert!((1..=200_000).contains(&config.load.batch_rows), "{:?}", config.load);
    let batch_bytes = config.load.batch_bytes.unwrap_or(1 << 20);
    assert!((64 << 10..=64 << 20).contains(&batch_bytes), "{:?}", config.load);
    assert_eq!(
        connect::is_by_peer(&config.postgres).is_ok(),
        connect::has_password(&config.postgres).is_ok()
    );
}
