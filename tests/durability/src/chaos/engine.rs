//! The engine's process, and what is done to it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Client;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::time::sleep;

use super::plan::{Blow, Step};
use crate::child::Running;
use crate::server::Server;

const OPENS_WITHIN: Duration = Duration::from_secs(60);
/// Of each turn of a starved process: it stands, then it runs.
const STANDS: Duration = Duration::from_millis(45);
const RUNS: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) server: Server,
    process: Running,
    /// What it said when it ended without being told to.
    pub(super) ended: Vec<String>,
    pub(super) struck: Vec<Blow>,
}

impl Engine {
    pub(super) fn start(server: Server) -> Self {
        Self {
            process: server.start(),
            server,
            ended: Vec::new(),
            struck: Vec::new(),
        }
    }

    /// A supervisor: what ended is started again.
    fn tend(&mut self) {
        if self.process.has_ended() {
            self.ended.push(self.server.last_words());
            self.process = self.server.start();
        }
    }

    async fn tended(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        while let Some(rest) = end.checked_duration_since(Instant::now()) {
            self.tend();
            sleep(rest.min(Duration::from_millis(50))).await;
        }
    }

    /// One blow after the other, then it is left alone.
    pub(super) async fn endure(mut self, blows: Vec<Step<Blow>>, storm: Duration) -> Self {
        let end = Instant::now() + storm;
        for step in blows {
            self.tended(step.after).await;
            self.struck.push(step.what);
            match step.what {
                Blow::Kill => {
                    self.process.kill();
                    sleep(step.lasts).await;
                    self.process = self.server.start();
                }
                Blow::Pause => {
                    self.process.signal(Signal::STOP);
                    sleep(step.lasts).await;
                    self.process.signal(Signal::CONT);
                }
                Blow::Starve => self.starve(step.lasts).await,
                Blow::FewFiles => self.with_few_files(step.lasts).await,
            }
        }
        self.tended(end.saturating_duration_since(Instant::now()))
            .await;
        self
    }

    async fn starve(&self, lasts: Duration) {
        let end = Instant::now() + lasts;
        while Instant::now() < end {
            self.process.signal(Signal::STOP);
            sleep(STANDS).await;
            self.process.signal(Signal::CONT);
            sleep(RUNS).await;
        }
    }

    async fn with_few_files(&self, lasts: Duration) {
        let pid = self.process.pid();
        let Some(open) = open_files(pid) else {
            return;
        };
        // Without us it has our own limits.
        let ours = rustix::process::getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(open),
            ..ours
        };
        let limit = |to| rustix::process::prlimit(Some(pid), Resource::Nofile, to);
        let _ = limit(few);
        sleep(lasts).await;
        let _ = limit(ours);
    }

    /// Whether it answers, now that nothing is done to it any more.
    pub(super) async fn is_up(&mut self, client: &Client) -> bool {
        // Of what was starved last, it may be ending right now.
        for _ in 0..3 {
            self.tend();
            let up = self
                .server
                .is_ready(&mut self.process, client, OPENS_WITHIN);
            if up.await {
                return true;
            }
        }
        false
    }

    /// Whether it ended well when it was told to.
    pub(super) fn end(&mut self) -> bool {
        self.process.terminate(Duration::from_secs(30))
    }
}

fn open_files(pid: Pid) -> Option<u64> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).ok()?;
    Some(files.count() as u64)
}

/// A small disk in memory. Let go of, it is unmounted.
#[derive(Debug)]
pub(super) struct Disk(PathBuf);

impl Disk {
    /// Needs root; says why not otherwise.
    pub(super) fn mount(at: &Path) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a disk that can be filled needs root".into());
        }
        std::fs::create_dir_all(at).map_err(|error| error.to_string())?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs"])
            .arg(at)
            .output();
        match mounted {
            Ok(done) if done.status.success() => Ok(Self(at.into())),
            Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes all room, and gives it back.
    pub(super) async fn fill(&self, lasts: Duration) {
        use std::io::Write as _;
        let ballast = self.0.join("ballast");
        let end = Instant::now() + lasts;
        if let Ok(mut file) = std::fs::File::create(&ballast) {
            let chunk = vec![b'b'; 64 << 10];
            // Whatever becomes free is taken, too.
            while Instant::now() < end {
                while file.write_all(&chunk).is_ok() {}
                let mut size = chunk.len();
                while size > 1 {
                    size /= 2;
                    while file.write_all(&chunk[..size]).is_ok() {}
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        let _ = std::fs::remove_file(ballast);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .args(["-l"])
            .arg(&self.0)
            .output();
    }
}
