//! swim-core
