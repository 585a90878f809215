//! Reads an event log: verify, replay, export; never writes one
