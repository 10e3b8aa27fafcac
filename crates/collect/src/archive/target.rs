//! What a place for archive objects can do.
//!
//! Methods block, and give up when it is time to stop. A target knows no database and no log; whether a copy counts is
//! decided by who calls it, from what a target says of it.

use std::io::Read;

/// SHA-256.
pub type Sha256 = [u8; 32];

/// An object that is to be stored: spooled, and known to the last byte.
#[derive(Debug)]
pub struct Packed {
    /// Its bytes, from the beginning of this file on.
    pub file: std::fs::File,
    /// How many.
    pub bytes: u64,
    /// Of its bytes.
    pub sha256: Sha256,
    /// Bytes of the log in it.
    pub raw_bytes: u64,
    /// Of the log in it.
    pub raw_sha256: Sha256,
}

/// What came of storing an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there; the target's own SHA-256 of what it received is ours.
    Proven,
    /// It is there; it has to be read back.
    Unproven,
    /// Something of that name was there, and was left as it is.
    Exists,
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bytes.
    pub bytes: u64,
    /// What it was stored as, where the target keeps that.
    pub raw_sha256: Option<Sha256>,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name below the archive's prefix.
    pub key: String,
    /// Its bytes.
    pub bytes: u64,
}

/// Which bytes of an object are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// All.
    All,
    /// So many, from an offset on.
    From(u64, u64),
    /// So many at its end, or all if it has fewer.
    Last(u64),
}

/// A place for archive objects. Keys are names below its prefix.
pub trait Target: Send + Sync {
    /// What an object is called by people.
    fn uri(&self, key: &str) -> String;

    /// Stores an object, and never in place of one that is there.
    ///
    /// # Errors
    /// It could not be stored, or nobody knows whether it was.
    fn put(&self, key: &str, object: &Packed) -> anyhow::Result<Put>;

    /// Looks for an object.
    ///
    /// # Errors
    /// Nobody can say whether it is there.
    fn find(&self, key: &str) -> anyhow::Result<Option<Found>>;

    /// Reads an object. Ends early only with an error.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    fn read(&self, key: &str, which: Bytes) -> anyhow::Result<Box<dyn Read + Send>>;

    /// Names all objects whose keys begin with `below`, in ascending order.
    ///
    /// # Errors
    /// They cannot be listed, or `each` has one.
    fn list(&self, below: &str, each: &mut dyn FnMut(Listed) -> anyhow::Result<()>) -> anyhow::Result<()>;

    /// Takes away what uploads of this host have left that did not come to their end. Says how many they were.
    ///
    /// # Errors
    /// It cannot be found or taken away.
    fn sweep(&self, host: &str) -> anyhow::Result<u64>;

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// It is still there.
    fn remove(&self, key: &str) -> anyhow::Result<()>;
}
