//! swim-wire
