//! An nginx `log_format`: its [text](text), and the parser [compiled](compiled) from it.

mod compiled;
mod text;

pub use compiled::LogFormat;
pub use text::FormatError;
