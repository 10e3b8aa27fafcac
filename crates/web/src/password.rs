//! Passwords: which are refused (NIST SP 800-63B: length, common ones, words of the account and the site; no rules of
//! composition), and argon2id hashes of them.
//!
//! One thread computes the hashes, one after the other: its memory is that of one hash, and however many sign in at once, the other
//! threads answer.

use anyhow::Context;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{mpsc, oneshot};
use unicode_normalization::UnicodeNormalization;

use crate::problem::Problem;

/// The fewest characters.
const CHARS_MIN: usize = 12;

/// The most bytes: more would only cost time.
const BYTES_MAX: usize = 1024;

/// Memory of a hash (KiB), and passes over it: OWASP's minimum for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// How many hashes may wait; each takes some 30 ms.
const WAITING: usize = 32;

/// A hash to be computed.
type Job = Box<dyn FnOnce() + Send>;

/// Beginnings and ends that make no password out of a common one.
const COMMON: &str = include_str!("../data/passwords.txt");

/// Computes hashes.
#[derive(Debug)]
pub(crate) struct Passwords {
    jobs: mpsc::Sender<Job>,
    /// What the password of nobody is compared with, so that it takes as long as that of somebody.
    nobody: String,
}

fn argon2() -> anyhow::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| anyhow::anyhow!("argon2: {e}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> anyhow::Result<String> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|e| anyhow::anyhow!("get random bytes: {e}"))?;
    let hash: argon2::password_hash::phc::PasswordHash = argon2()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|e| anyhow::anyhow!("hash a password: {e}"))?;
    Ok(hash.to_string())
}

impl Passwords {
    /// # Errors
    /// The system gives no random bytes, or no thread.
    pub(crate) fn new() -> anyhow::Result<Passwords> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        let work = move || {
            while let Some(job) = waiting.blocking_recv() {
                job();
            }
        };
        std::thread::Builder::new().name("passwords".to_owned()).spawn(work).context("start a thread")?;
        Ok(Passwords { jobs, nobody: hash("of nobody")? })
    }

    /// Whether a password is that of a hash. Of no hash it is not, and it takes as long to say so.
    pub(crate) async fn is_of(&self, password: &str, hash: Option<&str>) -> Result<bool, Problem> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let password = normal(password);
        let is_it = self.compute(move || {
            let hash =
                PasswordHash::new(&hash).map_err(|e| anyhow::anyhow!("a stored hash of a password: {e}"))?;
            Ok(password.len() <= BYTES_MAX && argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(is_it.await? && is_somebody)
    }

    /// The hash of a password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Problem> {
        let password = normal(password);
        self.compute(move || hash(&password)).await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // Nobody waits any more for what was given up.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        };
        self.jobs
            .try_send(Box::new(job))
            .map_err(|_| Problem::unavailable("too many people sign in now; try again"))?;
        Ok(answered.await.map_err(|_| Problem::defect())??)
    }
}

/// One spelling of a password, however a keyboard composes its letters (NFKC, as NIST SP 800-63B has it).
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether a password may be chosen, by somebody with this name, in an installation with these words: names of applications and
/// of hosts.
pub(crate) fn check(password: &str, name: &str, words: &[String]) -> Result<(), Problem> {
    let password = normal(password);
    if password.chars().count() < CHARS_MIN {
        return Err(Problem::bad(format!(
            "a password has at least {CHARS_MIN} characters; three or four words make a good one"
        )));
    }
    if password.len() > BYTES_MAX {
        return Err(Problem::bad(format!("a password has at most {BYTES_MAX} bytes")));
    }
    let plain = letters(&password);
    let is_common = COMMON.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).any(|common| {
        // What is left of it is no password, either.
        plain.contains(common) && plain.replace(common, "").chars().count() < CHARS_MIN / 2
    });
    if is_common || is_simple(&password) {
        return Err(Problem::bad(
            "this password is one of those that are tried first; three or four words that have nothing to do with each other make \
             a good one",
        ));
    }
    let words = words.iter().flat_map(|words| words.split(|c: char| !c.is_alphanumeric()));
    let own = name.split(|c: char| !c.is_alphanumeric()).chain(words).map(letters);
    let rest = own
        .filter(|word| word.chars().count() >= 3)
        .fold(plain.clone(), |rest, word| rest.replace(&word, ""));
    if rest != plain && rest.chars().count() < CHARS_MIN / 2 {
        return Err(Problem::bad("this password is hardly more than the name of the account or of the site"));
    }
    Ok(())
}

/// In small letters, with the letters for which digits and signs often stand.
fn letters(text: &str) -> String {
    let one = |c: char| match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        _ => c,
    };
    text.to_lowercase().chars().map(one).filter(|c| c.is_alphanumeric()).collect()
}

/// Few characters, or mostly runs of the alphabet, of digits, or of one character.
fn is_simple(password: &str) -> bool {
    let chars: Vec<char> = password.to_lowercase().chars().collect();
    let mut distinct = chars.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let runs = chars.windows(2).filter(|two| (u32::from(two[0])).abs_diff(u32::from(two[1])) <= 1).count();
    distinct.len() < 5 || runs * 3 >= chars.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_not_one_of_those_that_are_tried_first() {
        let words = ["Fern & Field".to_owned(), "stats.example.com".to_owned()];
        let check = |password: &str| check(password, "jane.doe@example.com", &words).is_ok();
        for good in [
            "otter quilt marble",
            "correct horse battery staple",
            "ünïcödé wörds hier",
            "x8#kQ!w9Zp2m",
            "            otter lamp",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "",
            "short",
            "elevenchars",
            "password1234",
            "P@ssw0rd!!!!",
            "aaaaaaaaaaaa",
            "123456789012",
            "abcdefghijklmn",
            "qwertyuiop123",
            "iloveyou2024",
            "janedoe12345",
            "jane.doe2026",
            "fernandfield",
            "fern-field-24",
            "Administrator1",
            "letmeinletmein",
            "121212121212",
        ] {
            assert!(!check(bad), "{bad}");
        }
        assert!(!check(&"otter lamp".repeat(200)));
    }

    #[tokio::test]
    async fn a_hash_is_of_its_password_alone_and_nobody_has_one() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("otter quilt marble").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash("otter quilt marble").await.unwrap());
        assert!(passwords.is_of("otter quilt marble", Some(&hash)).await.unwrap());
        assert!(!passwords.is_of("otter quilt marbles", Some(&hash)).await.unwrap());
        // A letter with its accent, and both after each other, are one.
        let composed = passwords.hash("un été à l'ombre").await.unwrap();
        assert!(passwords.is_of("un e\u{301}te\u{301} a\u{300} l'ombre", Some(&composed)).await.unwrap());
        assert!(!passwords.is_of("of nobody", None).await.unwrap());
    }
}
