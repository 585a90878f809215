//! The directory is private and has one owner.

use rustix::fs::{FileType, Mode};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_made_is_private() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let data = DataDir::open(&path).unwrap();
    let journal = Arc::new(data.directory("journal").unwrap());
    let (mut writer, _) = Writer::open(journal, &Options::default()).unwrap();
    writer.write(&batches(1, &[1])).unwrap();
    writer.sync().unwrap();
    assert_eq!((mode(&path), mode(&path.join("journal"))), (0o700, 0o700));
    assert_eq!(mode(&path.join("lock")), 0o600);
    assert_eq!(
        mode(&path.join("journal/journal-00000000000000000001.jsonl")),
        0o600
    );
}

#[test]
fn open_directories_links_and_files_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    drop(DataDir::open(&path).unwrap());

    symlink(&path, home.path().join("link")).unwrap();
    let link = DataDir::open(&home.path().join("link")).unwrap_err();
    assert!(matches!(link, DataDirError::Link { .. }), "{link}");

    fs::write(home.path().join("file"), "").unwrap();
    let file = DataDir::open(&home.path().join("file")).unwrap_err();
    assert!(matches!(file, DataDirError::NotDirectory { .. }), "{file}");

    for open in [0o750, 0o701, 0o755, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let error = DataDir::open(&path).unwrap_err();
        assert!(
            error.to_string().contains(&format!("mode {open:o}")),
            "{error}"
        );
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();

    let data = DataDir::open(&path).unwrap();
    fs::create_dir(home.path().join("elsewhere")).unwrap();
    symlink(home.path().join("elsewhere"), path.join("journal")).unwrap();
    let inner = data.directory("journal").unwrap_err();
    assert!(matches!(inner, DataDirError::Link { .. }), "{inner}");
}

#[test]
fn a_second_owner_is_refused_and_told_who_the_first_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    let first = DataDir::open(&path).unwrap();
    match DataDir::open(&path).unwrap_err() {
        DataDirError::InUse { process, .. } => assert_eq!(process, std::process::id().to_string()),
        error => panic!("{error}"),
    }
    drop(first);
    DataDir::open(&path).unwrap();
}

#[test]
fn a_segment_that_is_a_link_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let data = DataDir::open(&home.path().join("data")).unwrap();
    let journal = data.directory("journal").unwrap();
    fs::write(home.path().join("other"), "").unwrap();
    let name = "journal-00000000000000000001.jsonl";
    symlink(
        home.path().join("other"),
        data.path().join("journal").join(name),
    )
    .unwrap();
    let error = Writer::open(Arc::new(journal), &Options::default()).unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
}

#[test]
fn a_segment_that_is_a_pipe_or_a_directory_is_refused_at_once() {
    for mode in [FileType::Fifo, FileType::Directory] {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(&home.path().join("data")).unwrap();
        let journal = data.directory("journal").unwrap();
        let path = data
            .path()
            .join("journal/journal-00000000000000000001.jsonl");
        if mode == FileType::Fifo {
            let rights = Mode::RUSR | Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, mode, rights, 0).unwrap();
        } else {
            fs::create_dir(&path).unwrap();
        }
        let error = Writer::open(Arc::new(journal), &Options::default()).unwrap_err();
        assert!(matches!(error, JournalError::Io { .. }), "{error}");
    }
}
