//! The operations of a storage location for archive objects.
//!
//! Methods block, and give up when it is time to stop. A target knows no database and no log. The caller decides
//! whether a copy counts, from what the target reports about it.

use std::io::Read;

/// SHA-256.
pub type Sha256 = [u8; 32];

/// An object to be stored: spooled, and complete.
#[derive(Debug)]
pub struct Packed {
    /// The file that contains the object, from its beginning.
    pub file: std::fs::File,
    /// The object's size.
    pub bytes: u64,
    /// SHA-256 of the object.
    pub sha256: Sha256,
    /// The raw size of the log.
    pub raw_bytes: u64,
    /// SHA-256 of the log.
    pub raw_sha256: Sha256,
}

/// The result of storing an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object is stored; the target's own SHA-256 of the received bytes matches.
    Proven,
    /// The object is stored; it must be read back to be proven.
    Unproven,
    /// An object with that name existed, and was left unchanged.
    Exists,
}

/// An existing object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The object's size.
    pub bytes: u64,
    /// SHA-256 of the log, as recorded when the object was stored, if the target keeps it.
    pub raw_sha256: Option<Sha256>,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The object's name below the archive's prefix.
    pub key: String,
    /// The object's size.
    pub bytes: u64,
}

/// The requested bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// All bytes.
    All,
    /// A number of bytes from an offset: the offset, then the number.
    From(u64, u64),
    /// This many bytes at the end, or all if the object has fewer.
    Last(u64),
}

/// A storage location for archive objects. Keys are names below its prefix.
pub trait Target: Send + Sync {
    /// The object's name for display.
    fn uri(&self, key: &str) -> String;

    /// Stores an object; never replaces an existing one.
    ///
    /// # Errors
    /// The object could not be stored, or the outcome is unknown.
    fn put(&self, key: &str, object: &Packed) -> anyhow::Result<Put>;

    /// Looks for an object.
    ///
    /// # Errors
    /// It is unknown whether the object exists.
    fn find(&self, key: &str) -> anyhow::Result<Option<Found>>;

    /// Reads an object. Ends early only with an error.
    ///
    /// # Errors
    /// The object does not exist, or cannot be read.
    fn read(&self, key: &str, which: Bytes) -> anyhow::Result<Box<dyn Read + Send>>;

    /// Calls `each` for all objects whose keys begin with `below`, in ascending order.
    ///
    /// # Errors
    /// The objects cannot be listed, or `each` failed.
    fn list(&self, below: &str, each: &mut dyn FnMut(Listed) -> anyhow::Result<()>) -> anyhow::Result<()>;

    /// Removes the remains of unfinished uploads of this host. Returns their number.
    ///
    /// # Errors
    /// The remains cannot be found or removed.
    fn sweep(&self, host: &str) -> anyhow::Result<u64>;

    /// Removes an object if it exists.
    ///
    /// # Errors
    /// The object still exists.
    fn remove(&self, key: &str) -> anyhow::Result<()>;
}
