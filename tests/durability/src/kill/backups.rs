//! Backups of a directory at work, killed with its engine. One that has its name is whole.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::child::Running;
use crate::verdict::Verdict;

pub(super) struct Backups<'a> {
    binary: &'a Path,
    data: &'a Path,
    out: PathBuf,
    restored: PathBuf,
    running: Option<Running>,
    begun: u64,
    whole: u64,
}

impl<'a> Backups<'a> {
    pub(super) fn new(binary: &'a Path, data: &'a Path, work: &Path) -> Self {
        Self {
            binary,
            data,
            out: work.join("backup"),
            restored: work.join("restored"),
            running: None,
            begun: 0,
            whole: 0,
        }
    }

    pub(super) fn begin(&mut self) {
        let mut command = Command::new(self.binary);
        command
            .arg("backup")
            .arg(self.data)
            .arg("--to")
            .arg(&self.out);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.running = Some(Running::start(command));
        self.begun += 1;
    }

    /// Kills the one under way, if any, and looks at what it left.
    pub(super) fn end(&mut self, what: &str, verdict: &mut Verdict) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        running.kill();
        if !self.out.exists() {
            return;
        }
        match issuance_store::copies::restore(&self.out, &self.restored) {
            Ok(_) => self.whole += 1,
            Err(error) => {
                verdict.violation(format!("{what}: its backup does not restore: {error:?}"))
            }
        }
        for done in [&self.out, &self.restored] {
            let _ = std::fs::remove_dir_all(done);
        }
    }

    pub(super) fn sum(&self) -> String {
        format!(
            "{} backups killed with the engine; {} had their name, and restored",
            self.begun, self.whole
        )
    }
}
