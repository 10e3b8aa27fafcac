//! Messages as files of a directory: a report is a page and a table, what becomes of an alert is the JSON of a webhook.
//!
//! A file is there as a whole or not at all, and a message that is written again replaces its own files alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use crate::retry::Trouble;
use crate::{Letter, payload, report};

/// The group may read files, whatever the umask.
const MODE: u32 = 0o640;

/// A file: its name, and what is in it.
type Named = (String, Vec<u8>);

/// The files of a message.
pub(crate) fn files(letter: Letter<'_>) -> Vec<Named> {
    match letter {
        Letter::Report(report) => {
            let (stem, page, table) = (report.stem(), report::page(report), report.csv.clone());
            vec![(format!("{stem}.html"), page.into_bytes()), (format!("{stem}.csv"), table.into_bytes())]
        }
        Letter::Alert(message) => {
            let text = format!("{}\n", payload::webhook(message));
            vec![(format!("{}.json", report::plain(&message.id)), text.into_bytes())]
        }
    }
}

/// Writes files into a directory, which has to be there.
pub(crate) async fn write(directory: &Path, files: Vec<Named>, limit: Duration) -> Result<(), Trouble> {
    let at = directory.to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        files.iter().try_for_each(|(name, bytes)| whole(&at, name, bytes))?;
        File::open(&at)?.sync_all()
    });
    // A directory of another machine may not answer; the thread goes on until it does.
    let written = match tokio::time::timeout(limit, writing).await {
        Ok(written) => written.unwrap_or_else(|_| Err(ErrorKind::Other.into())),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    };
    written.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::NotFound => ": make it with `install -d -o alt -g alt -m 750`",
            ErrorKind::PermissionDenied => ": its owner has to be the account of alt",
            ErrorKind::ReadOnlyFilesystem => {
                ": name it in ReadWritePaths= of the unit, or take one in /var/lib/alt"
            }
            _ => "",
        };
        Trouble::later(format!("the directory {} takes no file: {error}{hint}", directory.display()))
    })
}

/// Writes a file under another name, and gives it its own.
fn whole(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!(".{name}.new"));
    // Of a process that ended within this.
    let _ = fs::remove_file(&unfinished);
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished)?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, directory.join(name))
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&unfinished);
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::message::tests::sample;

    fn written(directory: &Path, files: &[(&str, &str)]) -> Result<(), Trouble> {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(write(directory, files, Duration::from_secs(10)))
    }

    fn all(directory: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), text(&path))).collect()
    }

    #[test]
    fn files_are_whole_replace_their_own_and_follow_no_link() {
        let (place, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        written(place.path(), &[("a.html", "first"), ("a.csv", "1")]).unwrap();
        written(place.path(), &[("a.html", "second"), ("a.csv", "2")]).unwrap();
        let expected = [("a.csv", "2"), ("a.html", "second")].map(|(name, text)| (name.into(), text.into()));
        assert_eq!(all(place.path()), BTreeMap::from(expected));
        let mode = fs::metadata(place.path().join("a.csv")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        // Whoever may write there leads a file of another place nowhere.
        let victim = other.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, place.path().join("b.csv")).unwrap();
        symlink(&victim, place.path().join(".b.csv.new")).unwrap();
        written(place.path(), &[("b.csv", "3")]).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        assert_eq!(all(place.path())["b.csv"], "3");
    }

    #[test]
    fn a_directory_that_takes_no_file_is_named_with_what_to_do() {
        let place = tempfile::tempdir().unwrap();
        let why = |directory: &Path| match written(directory, &[("a", "b")]) {
            Err(Trouble::Later(why, None)) => why,
            _ => panic!("tried again"),
        };
        let missing = why(&place.path().join("none"));
        assert!(
            missing.contains("/none takes no file") && missing.contains("install -d -o alt"),
            "{missing}"
        );
        fs::write(place.path().join("file"), "").unwrap();
        assert!(why(&place.path().join("file")).contains("Not a directory"));
        assert!(why(Path::new("/proc")).contains("/proc takes no file"));
    }

    #[test]
    fn names_are_of_plain_characters_whatever_strangers_call_things() {
        let mut report = report::tests::sample();
        report.application = "../../etc/cron.d/x\n日本".into();
        report.name = "a/b".into();
        let names = |letter| files(letter).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let stem = "------etc-cron-d-x----a-b-2026-11-23.report_3_20781";
        assert_eq!(names(Letter::Report(&report)), [format!("{stem}.html"), format!("{stem}.csv")]);
        assert_eq!(names(Letter::Alert(&sample())), ["msg_2f0c7a.json"]);
        let (_, text) = files(Letter::Alert(&sample())).remove(0);
        let text: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(text["type"], "alert.firing");
    }
}
