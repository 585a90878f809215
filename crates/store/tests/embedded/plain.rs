//! Something else in the place of a file of the data directory: named and refused, and nobody waits for it.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use issuance_store::{EmbeddedStore, OpenError, Store as _};

use super::hands::{copy, fill, look, open};
use super::options;

const ORDERS: u64 = 4;

/// Puts something else in a file's place.
type Put = fn(&Path);

const OTHERS: [(&str, Put); 4] = [
    ("directory", |path| std::fs::create_dir(path).unwrap()),
    ("named pipe", |path| {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }),
    ("socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("symbolic link", |path| symlink("/dev/null", path).unwrap()),
];

/// Opens on another thread, which may not take long. The error with all behind it.
fn refusal(dir: &Path) -> String {
    let (sender, opened) = std::sync::mpsc::sync_channel(1);
    let options = options(dir);
    std::thread::spawn(move || drop(sender.send(EmbeddedStore::open(options).map(drop))));
    let opened = opened.recv_timeout(Duration::from_secs(30));
    let error: OpenError = opened.expect("it hangs").expect_err("it opened");
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

#[tokio::test]
async fn nothing_but_a_plain_file_stands_in_a_files_place() {
    let made = tempfile::tempdir().unwrap();
    let (store, _) = open(made.path());
    fill(&store, 0..ORDERS).await;
    let found = look(&store, 0..ORDERS).await;
    store.close().await.unwrap();
    drop(store);
    let segment = "journal/journal-00000000000000000001.jsonl";
    let places = [
        "lock",
        "head",
        "index.open",
        "index.redo",
        "index.probe",
        "index/db",
        "index/conf",
        "journal/anchor.json",
        segment,
        "vault/vault-0000000001.jsonl",
    ];
    for place in places {
        for (other, put) in OTHERS {
            let dir = tempfile::tempdir().unwrap();
            copy(&made.path().join("data"), &dir.path().join("data"));
            let path = dir.path().join("data").join(place);
            let kept = std::fs::read(&path).ok();
            let _ = std::fs::remove_file(&path);
            put(&path);
            let said = refusal(dir.path());
            let file = Path::new(place).file_name().unwrap().to_str().unwrap();
            assert!(said.contains(file), "{place}, a {other}: {said}");
            assert!(said.contains(other), "{place}: {said}");
            assert!(said.contains("move it away"), "{place}: {said}");
            if other == "directory" {
                std::fs::remove_dir(&path).unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
            if let Some(kept) = kept {
                std::fs::write(&path, kept).unwrap();
            }
            let (store, report) = open(dir.path());
            assert_eq!(report.index.rebuilt, None, "{place}");
            assert_eq!(look(&store, 0..ORDERS).await, found);
        }
    }
    for place in ["index", "journal", "vault"] {
        let dir = tempfile::tempdir().unwrap();
        copy(&made.path().join("data"), &dir.path().join("data"));
        let path = dir.path().join("data").join(place);
        std::fs::rename(&path, dir.path().join(place)).unwrap();
        symlink(dir.path().join(place), &path).unwrap();
        let said = refusal(dir.path());
        assert!(
            said.contains(place) && said.contains("symbolic link"),
            "{said}"
        );
    }
}
