//! One integration binary, one file an area.
