//! Names of archive objects, the tables at their ends, and URLs of databases.

use alt_collect::archive::frames::{Table, locate};
use alt_collect::archive::name::Name;
use alt_config::Postgres;
use alt_store::connect;

/// The first byte says what the rest is.
pub fn names(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    match which % 3 {
        0 => object(&String::from_utf8_lossy(data)),
        1 => table(data),
        _ => url(&String::from_utf8_lossy(data)),
    }
}

/// A name that is one of ours is the name of what it says.
fn object(key: &str) {
    if let Some(name) = Name::parse(key) {
        assert_eq!(Name::parse(&name.key()).as_ref(), Some(&name), "{key}");
        if let Some((first, last)) = name.times {
            assert!(name.may_hold(Some(first), Some(last.saturating_add(1))) || last < first, "{name:?}");
        }
    }
}

/// An offset in a log, and the end of an object: the frame found holds the offset, and what is asked for is more.
fn table(data: &[u8]) {
    let Some((offset, end)) = data.split_first_chunk() else { return };
    let offset = u64::from_le_bytes(*offset);
    match locate(end, offset) {
        Table::Frame(place) => {
            assert!((place.raw_at..place.raw_at + place.raw_bytes).contains(&offset), "{place:?}");
        }
        Table::More(bytes) => assert!(bytes > end.len() as u64),
        Table::Beyond | Table::None => {}
    }
}

/// A URL or `key=value` pairs: both questions are answered alike, and of a password nothing is told.
fn url(text: &str) {
    const SECRET: &str = "sekrit";
    // What ends the password, so that something else follows, is no part of it.
    let in_url = !text.contains('@') && !text.contains("sslmode");
    let in_pairs = !text.contains(|c: char| c.is_whitespace() || c == '\'');
    for (before, after, is_password) in
        [("", "", false), ("postgres://alt:", "@h/alt", in_url), ("host=h password=", "", in_pairs)]
    {
        let url = format!("{before}{text}{SECRET}{after}");
        let postgres = Postgres { url, password_file: None };
        let (by_peer, password) = (connect::is_by_peer(&postgres), connect::has_password(&postgres));
        assert_eq!(by_peer.is_ok(), password.is_ok());
        for error in by_peer.err().into_iter().chain(password.err()) {
            let told = format!("{error:#}");
            assert!(!is_password || !told.contains(SECRET), "{}: {told}", postgres.url);
        }
    }
}
