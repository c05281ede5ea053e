//! swim-agent
