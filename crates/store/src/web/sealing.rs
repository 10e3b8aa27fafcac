//! The secrets that the database keeps, sealed by AES-256-GCM (NIST SP 800-38D) with a key that stands in a file: of second
//! factors, and of the keys that sign JSON Web Tokens. Whoever has a copy of the database alone cannot use them.
//!
//! A sealed secret is a version, which key it is, a nonce, and the ciphertext with its tag. It names the row it is of (as
//! additional data), so that one that is copied into another row cannot be opened. What an older version kept, or what was kept
//! without a key, is the secret itself: it is known by its length, and sealed as soon as there is a key.

use std::io::{self, ErrorKind};
use std::path::Path;

use alt_config::SecretFile;
use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

/// The credential of systemd that holds the keys, where the configuration names no file: the unit takes it from `/etc/alt`.
pub const CREDENTIAL: &str = "web_key";

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// The most keys of a file: one seals, and the others are on their way out.
const KEYS_MAX: usize = 8;

/// The first byte of a sealed secret.
const VERSION: u8 = 1;

/// Bytes that say which key it is.
const ID_BYTES: usize = 4;

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The second factor of the person with this key.
    Totp(i32),
    /// What signs JSON Web Tokens.
    Signing,
}

impl Kind {
    /// Bytes of the secret.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Kind::Totp(_) => 20,
            Kind::Signing => 32,
        }
    }

    fn row(self) -> String {
        match self {
            Kind::Totp(id) => format!("web_users {id} totp"),
            Kind::Signing => "web_keys".to_owned(),
        }
    }
}

/// The keys. The first one seals; each of them opens what it has sealed.
#[derive(Debug, Default)]
pub struct Sealing(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: [u8; ID_BYTES],
    key: LessSafeKey,
}

/// What [`Sealing::seal_kept`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Secrets that are sealed by the first key now, and were not.
    pub sealed: usize,
    /// Secrets that are not sealed, because there is no key.
    pub plain: usize,
    /// Secrets that none of the keys opens.
    pub lost: usize,
}

impl Sealing {
    /// Reads the keys from the file of `[web] key_file`; or, if none is named, from the credential `web_key`, if there is one.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else than keys. The error has no part of a key.
    pub fn open(file: Option<&SecretFile>, credentials: Option<&Path>) -> anyhow::Result<Sealing> {
        let given = SecretFile::Credential(CREDENTIAL.to_owned());
        let mut lines = match (file, credentials) {
            (Some(file), _) => file.lines("key_file", credentials)?,
            (None, Some(_)) => match given.lines("key_file", credentials) {
                Err(e) if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::NotFound) => {
                    Vec::new()
                }
                read => read?,
            },
            (None, _) => Vec::new(),
        };
        lines.retain(|line| !line.trim_start().starts_with('#'));
        ensure!(
            file.is_none() || !lines.is_empty(),
            "key_file has no key: `openssl rand -base64 32` makes a key"
        );
        Sealing::of(&lines)
    }

    fn of(lines: &[String]) -> anyhow::Result<Sealing> {
        ensure!(
            lines.len() <= KEYS_MAX,
            "key_file has {} lines, and {KEYS_MAX} keys are the most",
            lines.len()
        );
        let key = |(at, line): (usize, &String)| {
            let bytes = STANDARD.decode(line.trim()).ok().filter(|bytes| bytes.len() == KEY_BYTES);
            let Some(bytes) = bytes else {
                bail!(
                    "line {} of key_file is no key: a key is 32 bytes as Base64, as `openssl rand -base64 32` makes it",
                    at + 1
                )
            };
            let key = UnboundKey::new(&AES_256_GCM, &bytes).ok().context("a key of AES-256")?;
            let id = Sha256::digest([b"alt web_key".as_slice(), &bytes].concat());
            Ok(Key { id: *id.first_chunk().context("a digest")?, key: LessSafeKey::new(key) })
        };
        Ok(Sealing(lines.iter().enumerate().map(key).collect::<anyhow::Result<_>>()?))
    }

    /// Whether there is a key.
    #[must_use]
    pub fn has_key(&self) -> bool {
        !self.0.is_empty()
    }

    /// A new key, as a line of the file.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new_key() -> anyhow::Result<String> {
        let mut key = [0u8; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
        Ok(STANDARD.encode(key))
    }

    /// Seals a secret. `None`: there is no key.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn seal(&self, kind: Kind, secret: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(key) = self.0.first() else { return Ok(None) };
        let mut nonce = [0u8; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
        let mut text = secret.to_vec();
        let row = kind.row();
        let of = Aad::from(row.as_bytes());
        let sealed = key.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), of, &mut text);
        sealed.ok().context("seal a secret")?;
        Ok(Some([&[VERSION], key.id.as_slice(), &nonce, &text].concat()))
    }

    /// The secret that is kept so.
    ///
    /// # Errors
    /// None of the keys has sealed it, or it is of another row.
    pub fn reveal(&self, kind: Kind, kept: &[u8]) -> anyhow::Result<Vec<u8>> {
        if kept.len() == kind.bytes() {
            return Ok(kept.to_vec());
        }
        let what = kind.row();
        let Some((key, rest)) = self.key_of(kept) else {
            bail!(
                "the secret of {what} is sealed with a key that [web] key_file does not have: put this key back into it, as a \
                 further line"
            )
        };
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).context("a sealed secret is cut short")?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok().context("a nonce")?;
        let mut text = text.to_vec();
        let opened = key.key.open_in_place(nonce, Aad::from(what.as_bytes()), &mut text);
        let opened = opened
            .ok()
            .with_context(|| format!("the sealed secret of {what} was changed, or is of another row"))?;
        ensure!(opened.len() == kind.bytes(), "the secret of {what} has {} bytes", opened.len());
        Ok(opened.to_vec())
    }

    /// The key that has sealed it, and what is behind the key's number.
    fn key_of<'k>(&self, kept: &'k [u8]) -> Option<(&Key, &'k [u8])> {
        let (id, rest) = kept.strip_prefix(&[VERSION])?.split_at_checked(ID_BYTES)?;
        Some((self.0.iter().find(|key| key.id == id)?, rest))
    }

    /// Seals what is kept otherwise than by the first key. Runs within a transaction.
    ///
    /// # Errors
    /// The database does not do it.
    pub async fn seal_kept(&self, client: &Client) -> anyhow::Result<Kept> {
        let mut found = Kept::default();
        // Without a key nothing is changed, so nothing is locked.
        let locked = if self.has_key() { "FOR UPDATE" } else { "" };
        let people =
            "SELECT id, totp, totp_new FROM web_users WHERE num_nonnulls(totp, totp_new) > 0 ORDER BY id";
        for row in
            client.query_typed(&format!("{people} {locked}"), &[]).await.context("read the second factors")?
        {
            let id: i32 = row.get(0);
            let (old, new) = (
                self.again(Kind::Totp(id), &row, 1, &mut found)?,
                self.again(Kind::Totp(id), &row, 2, &mut found)?,
            );
            if old.is_some() || new.is_some() {
                let sql = "UPDATE web_users SET totp = coalesce($2, totp), totp_new = coalesce($3, totp_new) WHERE id = $1";
                let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
                    [(&id, Type::INT4), (&old, Type::BYTEA), (&new, Type::BYTEA)];
                client.execute_typed(sql, &parameters).await.context("seal a second factor")?;
            }
        }
        let keys = format!("SELECT id, secret FROM web_keys ORDER BY id {locked}");
        for row in client.query_typed(&keys, &[]).await.context("read the keys")? {
            if let Some(sealed) = self.again(Kind::Signing, &row, 1, &mut found)? {
                let id: i32 = row.get(0);
                let sql = "UPDATE web_keys SET secret = $2 WHERE id = $1";
                client
                    .execute_typed(sql, &[(&id, Type::INT4), (&sealed, Type::BYTEA)])
                    .await
                    .context("seal a key")?;
            }
        }
        Ok(found)
    }

    /// The secret of a column, sealed by the first key. `None`: it is so already, or cannot be.
    fn again(
        &self,
        kind: Kind,
        row: &Row,
        column: usize,
        found: &mut Kept,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(kept) = row.get::<_, Option<&[u8]>>(column) else { return Ok(None) };
        let is_plain = kept.len() == kind.bytes();
        let Some(first) = self.0.first() else {
            if is_plain {
                found.plain += 1;
            } else {
                found.lost += 1;
            }
            return Ok(None);
        };
        let Ok(secret) = self.reveal(kind, kept) else {
            found.lost += 1;
            return Ok(None);
        };
        if !is_plain && self.key_of(kept).is_some_and(|(key, _)| key.id == first.id) {
            return Ok(None);
        }
        found.sealed += 1;
        self.seal(kind, &secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much longer a sealed secret is than the secret.
    const MORE: usize = 1 + ID_BYTES + NONCE_LEN + 16;

    fn keys(seeds: &[u8]) -> Sealing {
        Sealing::of(&seeds.iter().map(|seed| STANDARD.encode([*seed; KEY_BYTES])).collect::<Vec<_>>())
            .unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_for_its_row_only() {
        let secret = [7; 20];
        let (one, both, other) = (keys(&[1]), keys(&[2, 1]), keys(&[2]));
        let sealed = one.seal(Kind::Totp(5), &secret).unwrap().unwrap();
        assert_eq!(sealed.len(), secret.len() + MORE);
        assert!(!sealed.windows(4).any(|part| part == [7; 4]), "{sealed:?}");
        assert_ne!(one.seal(Kind::Totp(5), &secret).unwrap().unwrap(), sealed, "each has a nonce of its own");
        for good in [&one, &both] {
            assert_eq!(good.reveal(Kind::Totp(5), &sealed).unwrap(), secret);
        }
        let why = |sealing: &Sealing, kind, kept: &[u8]| sealing.reveal(kind, kept).unwrap_err().to_string();
        assert!(why(&other, Kind::Totp(5), &sealed).contains("as a further line"));
        assert!(why(&Sealing::default(), Kind::Totp(5), &sealed).contains("key_file"));
        assert!(why(&one, Kind::Totp(6), &sealed).contains("of another row"));
        for at in 0..sealed.len() {
            let mut wrong = sealed.clone();
            wrong[at] ^= 1;
            assert!(one.reveal(Kind::Totp(5), &wrong).is_err(), "{at}");
            assert!(at == secret.len() || one.reveal(Kind::Totp(5), &sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn what_is_kept_as_it_is_is_known_by_its_length() {
        assert_eq!(keys(&[1]).reveal(Kind::Totp(1), &[1; 20]).unwrap(), [1; 20]);
        assert_eq!(Sealing::default().reveal(Kind::Signing, &[1; 32]).unwrap(), [1; 32]);
        assert_eq!(Sealing::default().seal(Kind::Signing, &[1; 32]).unwrap(), None);
        assert!(!Sealing::default().has_key() && keys(&[1]).has_key());
    }

    #[test]
    fn a_file_holds_keys_and_nothing_else() {
        let good = STANDARD.encode([1; KEY_BYTES]);
        for wrong in ["x", &good[1..], &STANDARD.encode([1; 16]), &format!("{good}{good}")] {
            let why = Sealing::of(&[good.clone(), wrong.to_owned()]).unwrap_err().to_string();
            assert!(why.starts_with("line 2 of key_file") && !why.contains(&good[..8]), "{why}");
        }
        assert!(Sealing::of(&vec![good.clone(); 9]).is_err());
        assert!(Sealing::of(&[Sealing::new_key().unwrap()]).unwrap().has_key());
        let directory = tempfile::tempdir().unwrap();
        let open = |file: Option<SecretFile>| Sealing::open(file.as_ref(), Some(directory.path()));
        let credential = || Some(SecretFile::Credential(CREDENTIAL.to_owned()));
        assert!(!open(None).unwrap().has_key());
        assert!(open(credential()).is_err());
        // As the unit gives it, where there is no file.
        std::fs::write(directory.path().join(CREDENTIAL), "#none").unwrap();
        assert!(!open(None).unwrap().has_key());
        assert!(open(credential()).unwrap_err().to_string().contains("openssl rand"));
        std::fs::write(directory.path().join(CREDENTIAL), format!("# new\n{good}\r\n")).unwrap();
        assert!(open(None).unwrap().has_key() && open(credential()).unwrap().has_key());
        assert!(!Sealing::open(None, None).unwrap().has_key());
    }
}
