//! The engine a host imports: place card orders and be certain of what happened
