//! One walk over a list that has neither a cursor nor a known order (contract §1.7): page after page, going on where it
//! was left.
//!
//! Rows shift while it lasts. One that is added pushes others to later pages, so that some are met twice and none is
//! missed. One that goes pulls others to earlier pages, past us: a list that shrank was not read whole, and neither was one
//! of which fewer rows were met than there were when the walk began. How many more there are by now says nothing: what
//! was added meanwhile is a later walk's matter.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use issuance_domain::{Scan, Timestamp};
use issuance_uqpay::{Page, PageRequest};

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    began: Timestamp,
    /// The same by the steady clock.
    began_steady: Duration,
    /// When it came on last, by the steady clock.
    moved: Duration,
    read: u32,
    total_pages: Option<u64>,
    /// Rows there were when it began.
    at_first: Option<u64>,
    /// Rows there were on the page before.
    at_last: Option<u64>,
    /// Hashes of the rows met: two of one hash count once, which proves too little and never too much.
    seen: HashSet<u64>,
}

/// What a page makes of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There are more.
    More,
    /// It ends here.
    End(End),
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Every row there was when it began was met.
    Whole(Walked),
    /// Some may not have been, which proves nothing.
    Broken,
}

/// A list that was read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Walked {
    pub(super) began: Timestamp,
    pub(super) pages: u32,
    pub(super) rows: u32,
}

impl Walked {
    /// Both together: as old as the older.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            began: self.began.min(other.began),
            pages: self.pages.saturating_add(other.pages),
            rows: self.rows.saturating_add(other.rows),
        }
    }
}

impl From<Walked> for Scan {
    fn from(walked: Walked) -> Self {
        Self {
            began: walked.began,
            pages: walked.pages,
            rows: walked.rows,
            holder: None,
        }
    }
}

/// What one page takes while nobody knows better.
const A_PAGE: Duration = Duration::from_secs(1);

impl Walk {
    pub(super) fn begin(now: Timestamp, steady: Duration) -> Self {
        Self {
            began: now,
            began_steady: steady,
            moved: steady,
            read: 0,
            total_pages: None,
            at_first: None,
            at_last: None,
            seen: HashSet::new(),
        }
    }

    /// The page to read next.
    pub(super) fn next(&self) -> u32 {
        self.read.saturating_add(1)
    }

    /// Whether it stood still for longer than this. What is sorted by anything that changes would have changed.
    pub(super) fn is_older(&self, than: Duration, steady: Duration) -> bool {
        steady.saturating_sub(self.moved) > than
    }

    /// How long it has lasted.
    pub(super) fn lasted(&self, steady: Duration) -> Duration {
        steady.saturating_sub(self.began_steady)
    }

    /// How long what is left will take, if it goes on as it went.
    pub(super) fn left(&self, steady: Duration) -> Duration {
        if self.read == 0 {
            return A_PAGE;
        }
        let pages = self.total_pages.unwrap_or_default();
        let left = pages.saturating_sub(u64::from(self.read)).max(1);
        let pace = self.lasted(steady) / self.read;
        pace.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX))
    }

    /// Reads the next page; more than `most` pages are never read.
    pub(super) fn step<'a, T: 'a>(
        &mut self,
        page: &'a Page<T>,
        id: impl Fn(&'a T) -> Option<&'a str>,
        steady: Duration,
        most: u32,
    ) -> Step {
        self.read += 1;
        self.moved = steady;
        self.total_pages = page.total_pages;
        self.seen.extend(page.data.iter().filter_map(id).map(hash));
        let shrank =
            matches!((self.at_last, page.total_items), (Some(before), Some(now)) if now < before);
        if self.read == 1 {
            self.at_first = page.total_items;
        }
        self.at_last = page.total_items.or(self.at_last);
        let is_last = match page.total_pages {
            Some(total) => u64::from(self.read) >= total,
            None => page.data.len() < PageRequest::MAX_SIZE as usize,
        };
        if shrank || (!is_last && self.read >= most) {
            return Step::End(End::Broken);
        }
        if !is_last {
            return Step::More;
        }
        let met = self.seen.len() as u64;
        if self.at_first.is_some_and(|there| met < there) {
            return Step::End(End::Broken);
        }
        Step::End(End::Whole(Walked {
            began: self.began,
            pages: self.read,
            rows: u32::try_from(met).unwrap_or(u32::MAX),
        }))
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list that changes between two pages of ten.
    struct List {
        rows: Vec<String>,
        says_totals: bool,
    }

    impl List {
        fn of(count: usize) -> Self {
            let rows = (0..count).map(|row| format!("old {row}")).collect();
            Self {
                rows,
                says_totals: true,
            }
        }

        fn page(&self, number: u32) -> Page<String> {
            let of = 100;
            let rows = self.rows.iter().skip((number as usize - 1) * of).take(of);
            let total = self.rows.len() as u64;
            Page {
                total_pages: self.says_totals.then(|| total.div_ceil(of as u64).max(1)),
                total_items: self.says_totals.then_some(total),
                data: rows.cloned().collect(),
            }
        }

        /// Walks to the end; `change` happens before each page but the first. How it ended, and the old rows met.
        fn walk(&mut self, mut change: impl FnMut(&mut Vec<String>, u32)) -> (End, usize) {
            let mut walk = Walk::begin(Timestamp::from_millis(5), Duration::ZERO);
            let mut met = HashSet::new();
            loop {
                if walk.next() > 1 {
                    change(&mut self.rows, walk.next());
                }
                let page = self.page(walk.next());
                met.extend(
                    page.data
                        .iter()
                        .filter(|row| row.starts_with("old"))
                        .cloned(),
                );
                if let Step::End(end) = walk.step(&page, |row| Some(row), Duration::ZERO, 100) {
                    return (end, met.len());
                }
            }
        }
    }

    fn rows(end: End) -> Option<u32> {
        match end {
            End::Whole(walked) => Some(walked.rows),
            End::Broken => None,
        }
    }

    #[test]
    fn contract_6_5_only_a_list_read_to_its_end_is_complete() {
        for count in [0, 1, 99, 100, 101, 250, 1_000] {
            for says_totals in [true, false] {
                let mut list = List::of(count);
                list.says_totals = says_totals;
                let (end, met) = list.walk(|_, _| {});
                assert_eq!((rows(end), met), (Some(count as u32), count));
            }
        }
        let mut walk = Walk::begin(Timestamp::from_millis(0), Duration::ZERO);
        let list = List::of(250);
        let step = |walk: &mut Walk, number, most| {
            walk.step(&list.page(number), |row| Some(row), Duration::ZERO, most)
        };
        assert_eq!(step(&mut walk, 1, 2), Step::More);
        assert_eq!(
            step(&mut walk, 2, 2),
            Step::End(End::Broken),
            "more pages than are read at most"
        );
    }

    /// Wherever rows are added, each that was there before is met, and the walk is whole although the list has more by now.
    #[test]
    fn contract_1_7_rows_that_are_added_meanwhile_hide_none() {
        for where_to in ["first", "middle", "last"] {
            for each in [1, 7, 60] {
                let mut list = List::of(520);
                let (end, met) = list.walk(|rows, number| {
                    // It must end some time.
                    for new in 0..if number < 9 { each } else { 0 } {
                        let at = match where_to {
                            "first" => 0,
                            "middle" => rows.len() / 2,
                            _ => rows.len(),
                        };
                        rows.insert(at, format!("new {number} {new}"));
                    }
                });
                assert!(
                    rows(end).is_some_and(|rows| rows >= 520),
                    "{where_to}: {end:?}"
                );
                assert_eq!(met, 520, "{where_to}");
            }
        }
    }

    /// What goes, or moves to where we have been, may have pulled a row past us.
    #[test]
    fn contract_1_7_rows_that_go_or_move_meanwhile_prove_nothing() {
        let gone = List::of(520).walk(|rows, number| {
            if number == 3 {
                rows.remove(0);
            }
        });
        assert_eq!(gone.0, End::Broken, "row 200 is never met");
        let made_up_for = List::of(520).walk(|rows, number| match number {
            3 => drop(rows.remove(0)),
            5 => rows.extend(["new 1".to_owned(), "new 2".to_owned()]),
            _ => {}
        });
        assert_eq!(made_up_for.0, End::Broken, "as many are met as there were");
        let moved = List::of(520).walk(|rows, number| {
            if number == 3 {
                let last = rows.pop().unwrap();
                rows.insert(0, last);
            }
        });
        assert_eq!(moved, (End::Broken, 519), "the last one is never met");
    }
}
