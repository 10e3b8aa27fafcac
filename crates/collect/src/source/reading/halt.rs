//! Why reading a file stopped.

use std::io;

use alt_store::writer::Interrupted;

use super::WrittenOver;

/// The reason why reading a file stopped, or why it is not known how far the file is loaded.
#[derive(Debug)]
pub enum Halt {
    /// The database's answers are no longer valid, or what is known about the file: start again.
    Interrupted(Interrupted),
    /// The file cannot be read further.
    File(io::Error),
}

impl From<Interrupted> for Halt {
    fn from(interrupted: Interrupted) -> Halt {
        Halt::Interrupted(interrupted)
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Halt {
        match error.get_ref() {
            // What is known about the file is no longer valid.
            Some(inner) if inner.is::<WrittenOver>() => Halt::Interrupted(Interrupted),
            _ => Halt::File(error),
        }
    }
}
