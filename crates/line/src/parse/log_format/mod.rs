//! An nginx `log_format`: its text, and the parser that is compiled from it.

mod compiled;
mod text;

pub use compiled::LogFormat;
pub use text::FormatError;
