//! What is said of a panic. Its words are put together from whatever was at hand, which may be a person's data: only those
//! that are constants of the program are shown, and where it happened.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};

/// Takes the place of the standard hook, which shows everything.
pub(crate) fn mask() {
    panic::set_hook(Box::new(report));
}

fn report(panic: &PanicHookInfo<'_>) {
    let words = constant(panic.payload());
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("a place unknown");
    // Addresses and names of ours, and only if RUST_BACKTRACE asks for them.
    let backtrace = match Backtrace::capture() {
        shown if shown.status() == BacktraceStatus::Captured => shown.to_string(),
        _ => String::new(),
    };
    if tracing::dispatcher::has_been_set() {
        tracing::error!(place, words, backtrace, "a thread panicked");
    } else {
        // There is no better place left to complain.
        let _ = writeln!(
            io::stderr().lock(),
            "panicked at {place}: {words}\n{backtrace}"
        );
    }
}

/// The words of a panic, if they are the same whatever went on.
fn constant(payload: &(dyn Any + Send)) -> &'static str {
    let words = payload.downcast_ref::<&'static str>();
    words.copied().unwrap_or("not shown: they may be personal")
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::constant;

    #[test]
    fn words_that_were_put_together_are_not_shown() {
        let said = |panics: fn()| constant(&*std::panic::catch_unwind(panics).unwrap_err());
        assert_eq!(said(|| panic!("an invariant")), "an invariant");
        let hidden = "not shown: they may be personal";
        assert_eq!(said(|| panic!("{}", "Zoë".repeat(2))), hidden);
        assert_eq!(said(|| drop("Zoë"[..black_box(3)].to_owned())), hidden);
    }
}
