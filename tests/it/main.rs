//! The real server, the embedded store and the simulator over loopback; one file per story.
