//! swim-transport
