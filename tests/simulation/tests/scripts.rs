//! Every run that is kept, for ever: what it broke once is mended.

use std::path::Path;

use issuance_simulation::{Options, Script, run, scenarios, shrink};

#[test]
fn what_was_broken_once_is_not_broken_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let all = Script::all(&folder).expect("readable scripts");
    assert!(!all.is_empty());
    for (name, script) in all {
        let report = run(&script.options, false);
        assert_eq!(report.violation, None, "{name}: {}", script.about);
    }
}

#[test]
fn every_story_is_sound() {
    let stories = scenarios();
    assert!(stories.len() >= 30);
    for story in stories {
        let report = run(&story.options, false);
        assert_eq!(report.violation, None, "{}", story.name);
    }
}

/// A list of what was decided is the same run as the chances it came from, also once it was a file.
#[test]
fn a_script_is_the_same_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("one.json");
    for seed in 0..20 {
        let options = Options::of_seed(seed);
        let first = run(&options, false);
        let script = Script {
            about: "a test".into(),
            from: format!("seed {seed}"),
            broke: "nothing".into(),
            options: options.scripted(first.decided.clone()),
        };
        script.write(&path).expect("written");
        let read = Script::read(&path).expect("read");
        assert_eq!(read, script);
        let second = run(&read.options, false);
        assert_eq!(first.hash, second.hash, "{seed}");
        assert_eq!(first.decided, second.decided, "{seed}");
    }
}

#[test]
fn nothing_is_shrunk_where_nothing_is_broken() {
    assert!(shrink(&Options::calm(7), 10).is_none());
}
