//! The PostgreSQL of this machine: on which port it listens.
//!
//! The default URL means port 5432. Debian gives a cluster the next free port, 5433 and so on, where another program or
//! cluster has 5432. So setup looks which servers answer, and writes the port into the configuration.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, bail};

/// The port of the default URL.
const PORT: u16 = 5432;

/// The port to write into the configuration. `None`: the default one is right, or no server answers.
///
/// # Errors
/// Several servers answer, and none of them at the default port.
pub(super) fn other_port(directory: &Path) -> anyhow::Result<Option<u16>> {
    match ports(directory).as_slice() {
        ports if ports.is_empty() || ports.contains(&PORT) => Ok(None),
        [port] => Ok(Some(*port)),
        ports => bail!(
            "PostgreSQL answers here at the ports {}, and not at {PORT}: name the one to use in [postgres] of the \
             configuration, as in url = \"{}\"",
            ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
            url(directory, ports[0])
        ),
    }
}

/// The ports at which a server answers on a unix socket in this directory, ascending.
fn ports(directory: &Path) -> Vec<u16> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut ports: Vec<u16> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix(".s.PGSQL.")?.parse().ok())
        // A server that was killed leaves its socket.
        .filter(|port| UnixStream::connect(directory.join(format!(".s.PGSQL.{port}"))).is_ok())
        .collect();
    ports.sort_unstable();
    ports
}

/// The URL of the database at this port.
pub(super) fn url(directory: &Path, port: u16) -> String {
    format!("postgres:///alt?host={}&port={port}", directory.display())
}

/// The configuration with this URL in `[postgres]`, in place of the example that it contains, if it does.
///
/// # Errors
/// The result would not be read as it is meant.
pub(super) fn with_url(text: &str, url: &str) -> anyhow::Result<String> {
    let line = format!("url = \"{url}\"");
    let mut lines: Vec<&str> = text.lines().collect();
    let example = lines.iter().position(|line| line.trim_start().starts_with("# url = \"postgres:"));
    let table = lines.iter().position(|line| line.trim() == "[postgres]");
    match (example, table) {
        (Some(at), Some(table)) if at > table => lines[at] = &line,
        (_, Some(table)) => lines.insert(table + 1, &line),
        (_, None) => lines.extend(["", "[postgres]", &line]),
    }
    let new = lines.join("\n") + "\n";
    let read =
        alt_config::Config::from_str(&new, |_| None).context("write the URL into the configuration")?;
    if read.postgres.url != url {
        bail!("the configuration does not take the URL: write {line} into [postgres]");
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_one_server_that_answers_is_taken_and_several_are_named() {
        let place = tempfile::tempdir().unwrap();
        let socket = |port: u16| place.path().join(format!(".s.PGSQL.{port}"));
        assert_eq!(other_port(place.path()).unwrap(), None);
        // Of a server that is gone.
        drop(UnixListener::bind(socket(5432)).unwrap());
        fs::write(place.path().join(".s.PGSQL.5433.lock"), "").unwrap();
        let _one = UnixListener::bind(socket(5433)).unwrap();
        assert_eq!(other_port(place.path()).unwrap(), Some(5433));
        let _two = UnixListener::bind(socket(5434)).unwrap();
        let error = other_port(place.path()).unwrap_err().to_string();
        assert!(error.contains("ports 5433, 5434,"), "{error}");
        fs::remove_file(socket(5432)).unwrap();
        let _default = UnixListener::bind(socket(5432)).unwrap();
        assert_eq!(other_port(place.path()).unwrap(), None);
    }

    #[test]
    fn the_url_takes_the_place_of_the_example() {
        let url = url(Path::new("/run/pg"), 5433);
        let shipped = include_str!("../../../systemd/alt.toml");
        for text in [shipped, "", "[load]\nbatch_rows = 7\n", "[postgres]\npassword_file = \"/x\"\n[load]\n"]
        {
            let new = with_url(text, &url).unwrap();
            assert_eq!(alt_config::Config::from_str(&new, |_| None).unwrap().postgres.url, url, "{new}");
        }
        let new = with_url(shipped, &url).unwrap();
        assert_eq!(new.lines().count(), shipped.lines().count());
        assert!(new.contains("\nurl = \"postgres:///alt?host=/run/pg&port=5433\"\n"), "{new}");
        assert!(with_url("[postgres]\nurl = \"postgres://other/alt\"\n", &url).is_err());
    }
}
