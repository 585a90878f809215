//! Runs that are kept as files: made small, written, and run again.

use std::io;
use std::path::Path;

use issuance_simulation::{Options, Script, run_caught, shrink};

use crate::{number, tell};

/// Makes a seed's run or a file's small and keeps it.
pub(crate) fn shrunk(what: &str, to: &Path, about: String, runs: u64) -> io::Result<bool> {
    let (about, from, options) = match number(what) {
        Ok(seed) => (about, format!("seed {seed:#x}"), Options::of_seed(seed)),
        Err(_) => {
            let script = Script::read(Path::new(what))?;
            let about = Some(about).filter(|about| !about.is_empty());
            (about.unwrap_or(script.about), script.from, script.options)
        }
    };
    let Some(shrunk) = shrink(&options, runs) else {
        println!("nothing is broken by {what}");
        return Ok(false);
    };
    println!(
        "{}\n{} ({} runs)",
        shrunk.options, shrunk.violation, shrunk.runs
    );
    let script = Script {
        about,
        from,
        broke: shrunk.violation.invariant.to_owned(),
        options: shrunk.options,
    };
    let is_name = to.components().count() == 1;
    let to = if is_name {
        Path::new("tests/simulation/scripts")
            .join(to)
            .with_extension("json")
    } else {
        to.to_owned()
    };
    script.write(&to)?;
    println!("kept as {}", to.display());
    Ok(true)
}

/// Keeps a seed's run as it is.
pub(crate) fn keep(seed: u64, to: &Path, about: String, broke: String) -> io::Result<bool> {
    let options = Options::of_seed(seed);
    let report = run_caught(&options, false);
    let script = Script {
        about,
        from: format!("seed {seed:#x}"),
        broke,
        options: options.scripted(report.decided),
    };
    script.write(to)?;
    let again = run_caught(&script.options, false);
    let same = again.hash == report.hash;
    println!("{} faults; the same run: {same}", again.decided.len());
    Ok(same)
}

/// Runs what was kept.
pub(crate) fn replay(path: &Path, story: bool) -> io::Result<bool> {
    let mut is_sound = true;
    for (name, script) in Script::all(path)? {
        let report = run_caught(&script.options, story);
        if story {
            println!("{}", script.options);
            tell::story(&report, 50);
        }
        is_sound &= report.violation.is_none();
        let verdict = report
            .violation
            .map_or_else(|| "sound".to_owned(), |what| what.to_string());
        println!("{name}: {verdict} ({})", script.about);
    }
    Ok(is_sound)
}
