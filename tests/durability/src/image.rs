//! A file system in a file, mounted by loop device, whose power can be cut: the file system is shut down without writing
//! its log, so whatever was not synced is gone after the next mount.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const BYTES: u64 = 512 << 20;

/// Which file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

/// A mounted image. Let go of, it is unmounted and removed.
#[derive(Debug)]
pub(crate) struct Image {
    kind: Kind,
    file: PathBuf,
    mount: PathBuf,
    mounted: bool,
}

impl Image {
    /// A new file system in `work`, mounted; an error says which tool or right is missing.
    pub(crate) fn new(kind: Kind, work: &Path) -> Result<Self, String> {
        Self::sized(kind, work, BYTES)
    }

    pub(crate) fn sized(kind: Kind, work: &Path, bytes: u64) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("loop mounts need root".into());
        }
        let (file, mount) = (
            work.join(format!("{}.img", kind.name())),
            work.join(kind.name()),
        );
        let made = std::fs::File::create(&file).and_then(|file| file.set_len(bytes));
        made.map_err(|error| format!("no image in {}: {error}", work.display()))?;
        std::fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        let mkfs = format!("mkfs.{}", kind.name());
        match kind {
            // Its own tables are written at once: on a thin disk they have their room, and only data lacks it.
            Kind::Ext4 => {
                let all = "lazy_itable_init=0,lazy_journal_init=0";
                let options = [
                    "-q", "-F", "-b", "4096", "-N", "2048", "-J", "size=4", "-E", all,
                ];
                let options = options.map(std::ffi::OsStr::new);
                tool(&mkfs, options.into_iter().chain([file.as_os_str()]))?;
            }
            Kind::Xfs => tool(&mkfs, ["-q".as_ref(), "-f".as_ref(), file.as_os_str()])?,
        }
        tool("xfs_io", ["-V"])?;
        let mut image = Self {
            kind,
            file,
            mount,
            mounted: false,
        };
        image.mount()?;
        Ok(image)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    /// Hands the device one page at a time, so that no write is done by half: of a request that finds room for a part
    /// only, some kernels' loop driver stores the part and says yes to all.
    pub(crate) fn write_page_by_page(&self) -> Result<(), String> {
        let mounts = std::fs::read_to_string("/proc/mounts").map_err(|error| error.to_string())?;
        let mount = self.mount.to_string_lossy();
        let device = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|line| line.get(1) == Some(&&*mount))
            .and_then(|line| line[0].strip_prefix("/dev/"))
            .ok_or("the image's loop device is not known")?;
        let limit = format!("/sys/block/{device}/queue/max_sectors_kb");
        std::fs::write(&limit, "4").map_err(|error| format!("{limit}: {error}"))
    }

    /// Cuts the power. Everything that has files open must be killed before [`Image::remount`].
    pub(crate) fn cut(&self) {
        let cut = [
            "-x".as_ref(),
            "-c".as_ref(),
            "shutdown".as_ref(),
            self.mount.as_os_str(),
        ];
        tool("xfs_io", cut).expect("the power could not be cut");
    }

    /// Mounts what the device holds.
    pub(crate) fn remount(&mut self) {
        self.unmount();
        self.mount().expect("the image does not mount again");
    }

    fn mount(&mut self) -> Result<(), String> {
        let arguments = [
            "-t".as_ref(),
            self.kind.name().as_ref(),
            "-o".as_ref(),
            "loop".as_ref(),
            self.file.as_os_str(),
            self.mount.as_os_str(),
        ];
        tool("mount", arguments)?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) {
        // A killed process may take a moment to let go.
        for _ in 0..200 {
            if tool("umount", [&self.mount]).is_ok() {
                self.mounted = false;
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{} cannot be unmounted", self.mount.display());
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.mounted {
            let _ = tool("umount", [&self.mount]);
        }
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Runs a tool; an error says what is missing or what it said.
pub(crate) fn tool<A: AsRef<std::ffi::OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Result<(), String> {
    let ran = Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    match ran {
        Err(error) => Err(format!("{name} cannot be run: {error}")),
        Ok(Output { status, stderr, .. }) if !status.success() => Err(format!(
            "{name} failed: {}",
            String::from_utf8_lossy(&stderr).trim()
        )),
        Ok(_) => Ok(()),
    }
}
