//! This program started again, as a process that can be killed and may not hang.

use std::ffi::OsStr;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How a child ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With success, and said this.
    Well(String),
    /// Otherwise; what it said on both its outputs.
    Badly(String),
    /// Not in time; it was killed.
    Hung,
}

/// This program with other arguments.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A child that is killed when it is let go of.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("a process"))
    }

    /// SIGKILL, and waits for its end.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Sends it a signal, if it still is there.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = rustix::process::kill_process(self.pid(), signal);
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// SIGTERM. Whether it ended well in time.
    pub(crate) fn terminate(&mut self, timeout: Duration) -> bool {
        self.signal(Signal::TERM);
        self.wait(timeout) == Some(true)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Whether it ended by itself in time, and well.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<bool> {
        let end = Instant::now() + timeout;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status.success());
            }
            if Instant::now() > end {
                self.kill();
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a child to its end.
pub(crate) fn finish(mut command: Command, timeout: Duration) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Running::start(command);
    let (mut out, mut err) = (
        child.0.stdout.take().unwrap(),
        child.0.stderr.take().unwrap(),
    );
    let out = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let err = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let ended = child.wait(timeout);
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    match ended {
        Some(true) => Ended::Well(out.unwrap_or_default()),
        Some(false) => Ended::Badly(out.unwrap_or_default() + &err.unwrap_or_default()),
        None => Ended::Hung,
    }
}
