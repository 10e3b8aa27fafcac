//! Secrets that stand in files of their own.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A secret is shorter; a larger file is something else, given by mistake.
const BYTES_MAX: u64 = 4096;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFile {
    /// In a file, by its absolute path.
    Path(PathBuf),
    /// In a credential of systemd.
    Credential(String),
}

impl SecretFile {
    /// Reads the setting.
    pub(super) fn of(text: &str) -> Result<SecretFile, String> {
        let is_name = Path::new(text).file_name().is_some_and(|name| name == text);
        match (text.starts_with('/'), is_name) {
            (true, _) => Ok(SecretFile::Path(PathBuf::from(text))),
            (false, true) => Ok(SecretFile::Credential(text.to_owned())),
            (false, false) => {
                Err(format!("is an absolute path, or the name of a credential of systemd, not `{text}`"))
            }
        }
    }

    /// The lines of the file that are not empty. `setting` names it in errors; `credentials` is where systemd puts
    /// credentials (`CREDENTIALS_DIRECTORY`).
    ///
    /// # Errors
    /// There is no such file, it cannot be read, or it is longer than 4,096 bytes. No error has a part of the secret.
    pub fn lines(&self, setting: &str, credentials: Option<&Path>) -> anyhow::Result<Vec<String>> {
        let path: PathBuf = match (self, credentials) {
            (SecretFile::Path(path), _) => path.clone(),
            (SecretFile::Credential(name), Some(directory)) => directory.join(name),
            (SecretFile::Credential(name), None) => anyhow::bail!(
                "{setting} names the credential {name}, and systemd gave none: \
                 write LoadCredential={name}:/PATH into the unit, or an absolute path into {setting}"
            ),
        };
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
        read.with_context(|| format!("read {setting} {}", path.display()))?;
        anyhow::ensure!(text.len() as u64 <= BYTES_MAX, "{setting} {} is too long", path.display());
        Ok(text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }

    /// The one line of the file that is not empty, as [`SecretFile::lines`] reads it.
    ///
    /// # Errors
    /// As there, or the file has none or several.
    pub fn line(&self, setting: &str, credentials: Option<&Path>) -> anyhow::Result<String> {
        match self.lines(setting, credentials)?.as_slice() {
            [one] => Ok(one.clone()),
            lines => anyhow::bail!("{setting} holds {} lines, and one is needed", lines.len()),
        }
    }
}
