//! How a command ends. Every command returns [`Failure`] or nothing; `main` alone prints it and turns it into a status.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use serde::Serialize;

/// The exit status of a command that did not do what it was asked; 0 is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub(crate) enum Exit {
    /// It was refused, or it went wrong.
    Failed = 1,
    /// The command line or the configuration is wrong. The argument parser uses the same number.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// Something changed in between, or a name is taken.
    Conflict = 4,
    /// The credentials are missing, wrong, or not enough.
    Auth = 5,
    /// Whoever should answer does not, or not now.
    Unavailable = 6,
}

/// The table of `issuance --help`.
pub(crate) const HELP: &str = "Exit status:
  0  done
  1  refused or failed
  2  wrong use: arguments or configuration
  3  not found
  4  conflict: something changed in between, or a name is taken
  5  credentials missing, wrong, or not enough
  6  unavailable: nobody answers, or not now; try again";

/// Why a command did not do what it was asked, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// The exit status.
    #[serde(rename = "kind")]
    pub(crate) exit: Exit,
    /// What went wrong: a lowercase fragment.
    pub(crate) message: String,
    /// Why, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// In words.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// An error with all its sources.
    pub(crate) fn of(exit: Exit, error: &dyn Error) -> Self {
        Self::new(exit, error).because_of(error.source())
    }

    /// Adds an error and its sources as causes.
    pub(crate) fn because(self, error: &dyn Error) -> Self {
        self.because_of(Some(error))
    }

    fn because_of(mut self, mut error: Option<&dyn Error>) -> Self {
        while let Some(cause) = error {
            self.causes.push(cause.to_string());
            error = cause.source();
        }
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The lines a person reads.
    pub(crate) fn lines(&self) -> String {
        let mut lines = format!("error: {}\n", self.message);
        for cause in &self.causes {
            lines.push_str(&format!("  because: {cause}\n"));
        }
        if let Some(hint) = &self.hint {
            lines.push_str(&format!("hint: {hint}\n"));
        }
        lines
    }

    /// One line of JSON: `{"error":{"exit":3,"kind":"not_found","message":…}}`.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Numbered<'a> {
            exit: u8,
            #[serde(flatten)]
            failure: &'a Failure,
        }
        let error = Numbered {
            exit: self.exit as u8,
            failure: self,
        };
        format!("{}\n", serde_json::json!({ "error": error }))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_every_cause_and_the_hint() {
        let source = std::io::Error::other("disk on fire");
        let failure = Failure::new(Exit::Unavailable, "cannot open the log")
            .because(&source)
            .hint("put it out");
        assert_eq!(
            failure.lines(),
            "error: cannot open the log\n  because: disk on fire\nhint: put it out\n"
        );
        let json: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        assert_eq!(json["error"]["exit"], 6);
        assert_eq!(json["error"]["kind"], "unavailable");
        assert_eq!(json["error"]["causes"][0], "disk on fire");
    }

    #[test]
    fn the_help_names_every_status() {
        let all = [
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Conflict,
            Exit::Auth,
            Exit::Unavailable,
        ];
        for (number, exit) in (1..).zip(all) {
            assert_eq!(exit as u8, number);
            assert!(
                HELP.contains(&format!("\n  {number}  ")),
                "{number} is documented"
            );
        }
    }
}
