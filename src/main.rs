//! `alt`: the commands come with what they command.

fn main() {}
