//! Opening: the directory is locked, the vault proves its key, the journal is believed or refused, the index catches up or
//! is made anew, and four threads start.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use super::EmbeddedStore;
use super::behind::{self, Behind};
use super::committer::Committer;
use super::index::{Faults, Index, IndexError, Meta};
use super::keeper;
use super::noting::Noting;
use super::options::{EmbeddedReport, IndexReport, OpenError, Options};
use super::orphans;
use super::replay::{self, ReplayError};
use super::sequencer::Sequencer;
use super::shared::{Book, Shared, chain};
use super::tidy::Tidying;
use super::watch::Watch;
use super::work;
use issuance_domain::Policy;

use crate::book::{Rows, Tasks};
use crate::journal::{self, DataDir, Disk, Head, Reader, WithArchive};
use crate::vault::{Vault, VaultOptions};

/// Groups whose personal data can be durable while their events are not.
const GROUPS_UNDER_WAY: usize = 2;

impl EmbeddedStore {
    /// Opens a data directory, or begins one.
    ///
    /// # Errors
    /// When the directory is not ours alone, when journal or vault are damaged, or the key is not theirs. Never for the
    /// index's sake, as long as another can be made.
    pub fn open(options: Options) -> Result<(Self, EmbeddedReport), OpenError> {
        Self::open_meeting(options, Faults::default())
    }

    fn open_meeting(options: Options, faults: Faults) -> Result<(Self, EmbeddedReport), OpenError> {
        let data_dir = DataDir::open(&options.dir)?;
        let journal = WithArchive::new(Arc::new(data_dir.directory("journal")?));
        if journal.misses_archive() {
            tracing::warn!(
                "the archive is not where it was: old events cannot be read, nor the index made anew"
            );
        }
        let archived = journal.archived()?;
        let vault = Arc::new(data_dir.directory_of(&journal, "vault")?);
        let owned = Some(data_dir);
        Self::assemble(options, Arc::new(journal), vault, archived, owned, faults)
    }

    /// As [`open`](Self::open), with an index that meets `hook` before each step.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    #[cfg(any(test, feature = "testing"))]
    pub fn open_with_index(
        options: Options,
        hook: super::index::IndexHook,
    ) -> Result<(Self, EmbeddedReport), OpenError> {
        Self::open_meeting(options, Faults::of(hook))
    }

    /// As [`open`](Self::open), with journal and vault on disks of the caller's making; the index stays in the directory,
    /// which must exist.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    #[cfg(any(test, feature = "testing"))]
    pub fn open_on(
        options: Options,
        journal: Arc<dyn Disk>,
        vault: Arc<dyn Disk>,
    ) -> Result<(Self, EmbeddedReport), OpenError> {
        Self::assemble(options, journal, vault, None, None, Faults::default())
    }

    fn assemble(
        options: Options,
        journal: Arc<dyn Disk>,
        vault: Arc<dyn Disk>,
        archived: Option<Head>,
        owned: Option<DataDir>,
        faults: Faults,
    ) -> Result<(Self, EmbeddedReport), OpenError> {
        let Options {
            dir,
            keys,
            policy,
            limits,
            past,
        } = options;
        // The directory is ours until all threads have ended.
        let owned = Arc::new(owned);
        let (mut vault, vault_report) = Vault::open(
            vault,
            keys,
            &VaultOptions {
                file_bytes: limits.vault_file_bytes,
            },
        )?;
        let index = Index::new(&dir, &limits, &policy, faults);
        let open_index = |index: &Index| index.open().and_then(|meta| Ok((meta.head()?, meta)));
        let found = watched(&index, &owned, open_index)?;
        let mut found = found.map_err(|error| (chain(&error), None));

        let open_journal = |known: Option<Head>| {
            let journal_options = journal::Options {
                segment_bytes: limits.segment_bytes,
                known,
            };
            journal::Writer::open(Arc::clone(&journal), &journal_options)
        };
        let known = found
            .as_ref()
            .ok()
            .map(|(head, _)| *head)
            .filter(|head| head.position > 0);
        let opened = match open_journal(known) {
            Err(error) if past.accept_rollback && error.is_rollback() => {
                found = Err((chain(&error), known.map(|head| head.position)));
                open_journal(None)
            }
            opened => opened,
        };
        let (journal, journal_report) = opened?;
        let reader = journal.reader();
        let mut noting = Noting::new(&dir, vault.sealer());
        let noted = noting.known();
        if known.is_none() && noted.is_none() && reader.head().position > 0 {
            tracing::warn!(
                "nothing beside the log shows how far it had come; compare its head with one kept elsewhere"
            );
        }
        let mut ahead_of = None;
        for head in past.known.into_iter().chain(archived).chain(noted) {
            match reader.contains(head) {
                Err(error) if past.accept_rollback && error.is_rollback() => {
                    ahead_of = ahead_of.max(Some(head.position));
                }
                contained => contained?,
            }
        }

        let (events, by) = (reader.clone(), policy.clone());
        let ready = watched(&index, &owned, move |index| {
            let bring_up = |meta: &Meta| bring_up(index, meta, &events, &by, limits.orders_at_hand);
            make_ready(index, found, bring_up)
        })?;
        let (ready, mut index_report) = ready?;
        index_report.ahead_of = index_report.ahead_of.max(ahead_of);

        // Only an index that was there and is in the log shows that the log is the newest.
        if known.is_some() && index_report.rebuilt.is_none() && index_report.ahead_of.is_none() {
            orphans::erase(&mut vault, &ready.rows, GROUPS_UNDER_WAY * limits.group)?;
        }

        let book = Book {
            rows: ready.rows,
            head: reader.head(),
        };
        let (sealer, vault_reader) = (vault.sealer(), vault.reader());
        let shared = Shared::new(book, ready.tasks, policy, reader, vault_reader);
        let behind = Behind::new(limits.unindexed_rows);
        let (queue, waiting) = work::queue(limits.queue, limits.queue_bytes);
        let reflected = shared.journal.head();
        noting.note(reflected);
        let (keeper, tidier, mut keeping) = keeper::keeper(vault);
        let writer = behind::Writer {
            shared: Arc::clone(&shared),
            index,
            behind: Arc::clone(&behind),
            reflected,
            noting,
            orders_at_hand: limits.orders_at_hand,
        };
        let watch = writer.index.watch();
        let (groups, handed) = sync_channel(0);
        let sequencer = Sequencer {
            shared: Arc::clone(&shared),
            keeper,
            waiting,
            behind: Arc::clone(&behind),
            limits,
            groups,
        };
        let committer = Committer {
            shared: Arc::clone(&shared),
            journal,
            groups: handed,
            queue: Arc::clone(&queue),
            behind: Arc::clone(&behind),
        };
        let store = Self {
            shared,
            bodies: sealer.body_key()?,
            sealer,
            tidying: Tidying::new(tidier, Arc::downgrade(&owned)),
            queue,
            behind,
            threads: Arc::default(),
        };
        let [also, too, as_well] = std::array::from_fn(|_| Arc::clone(&owned));
        let indexing = store.spawn("issuance-index", move || {
            let ends = Ends(writer.index.watch());
            writer.run();
            drop((also, ends));
        })?;
        let (behind, shared) = (Arc::clone(&store.behind), Arc::clone(&store.shared));
        store.start("issuance-watch", move || {
            if watch.ends() {
                // If it panicked, it has stopped the store.
                let _ = indexing.join();
            } else {
                behind.hangs(&shared);
            }
        })?;
        store.start("issuance-vault", move || {
            keeping.run();
            drop(too);
        })?;
        store.start("issuance-order", move || {
            sequencer.run();
            drop(as_well);
        })?;
        store.start("issuance-commit", move || {
            committer.run();
            drop(owned);
        })?;
        let report = EmbeddedReport {
            journal: journal_report,
            vault: vault_report,
            index: index_report,
            open_orders: ready.open,
        };
        log(&dir, &report);
        Ok((store, report))
    }

    /// Starts a thread that the store's end waits for.
    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        self.threads.add(self.spawn(name, run)?);
        Ok(())
    }

    fn spawn(
        &self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, OpenError> {
        let started = thread::Builder::new().name(name.into()).spawn(run);
        started.map_err(|error| {
            self.behind.end(behind::End::AsItIs);
            OpenError::Thread(error)
        })
    }
}

/// Says that the index's thread has ended, however it did.
struct Ends(Arc<Watch>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

struct Ready {
    rows: Rows,
    tasks: Tasks,
    replayed: u64,
    open: u64,
}

/// Does something with the index, which may hang, and then keeps the directory.
fn watched<T: Send + 'static>(
    index: &Index,
    owned: &Arc<Option<DataDir>>,
    run: impl FnOnce(&Index) -> T + Send + 'static,
) -> Result<T, OpenError> {
    let (of, owned) = (index.clone(), Arc::clone(owned));
    let ran = index.watch().run("issuance-index-open", move || {
        let ran = run(&of);
        drop((of, owned));
        ran
    });
    ran.map_err(OpenError::Thread)?
        .ok_or_else(|| OpenError::Index {
            why: chain(&IndexError::Hangs),
        })
}

fn bring_up(
    index: &Index,
    meta: &Meta,
    journal: &Reader,
    policy: &Policy,
    orders_at_hand: usize,
) -> Result<Ready, ReplayError> {
    let (door, until) = (index.door(), journal.head());
    let (rows, replayed) =
        replay::catch_up(index, &door, meta, journal, until, policy, orders_at_hand)?;
    let tasks = replay::tasks(&rows);
    let (tasks, open) = tasks.map_err(|error| index.reading(error))?;
    Ok(Ready {
        rows,
        tasks,
        replayed,
        open,
    })
}

/// What is wrong with the index that was found, and the position it reflects if the journal never got there.
type Unfit = (String, Option<u64>);

/// Takes the index that was found, or makes it anew when that does not work out.
fn make_ready(
    index: &Index,
    found: Result<(Head, Meta), Unfit>,
    bring_up: impl Fn(&Meta) -> Result<Ready, ReplayError>,
) -> Result<(Ready, IndexReport), OpenError> {
    let unfit = match found {
        Ok((_, meta)) => match bring_up(&meta) {
            Ok(ready) => {
                let replayed = ready.replayed;
                return Ok((
                    ready,
                    IndexReport {
                        replayed,
                        ..IndexReport::default()
                    },
                ));
            }
            Err(error) => (chain(&error), None),
        },
        Err(unfit) => unfit,
    };
    let (why, ahead_of) = unfit;
    let cannot = |error: IndexError| OpenError::Index { why: chain(&error) };
    let ready = bring_up(&index.begin().map_err(cannot)?).map_err(|error| match error {
        ReplayError::Store(error) => OpenError::Replay(error),
        ReplayError::Index(error) => cannot(error),
    })?;
    let replayed = ready.replayed;
    // Where there is no journal there need not be an index.
    let rebuilt = (replayed > 0 || ahead_of.is_some()).then_some(why);
    Ok((
        ready,
        IndexReport {
            rebuilt,
            replayed,
            ahead_of,
        },
    ))
}

fn log(dir: &Path, report: &EmbeddedReport) {
    let EmbeddedReport {
        journal,
        vault,
        index,
        open_orders,
    } = report;
    tracing::info!(
        ?dir,
        events = journal.head.position,
        open_orders,
        replayed = index.replayed,
        "the store is open"
    );
    if let Some(cut) = &journal.cut {
        tracing::warn!(file = %cut.file, byte = cut.byte, bytes = cut.bytes, "cut what was never acknowledged");
    }
    if vault.damaged_count > 0 {
        tracing::error!(
            records = vault.damaged_count,
            "the vault is damaged; restore it from a copy"
        );
    }
    for key in &vault.unknown_keys {
        tracing::error!(
            key,
            "records of the vault are sealed with a master key nobody has; add it to the key ring, or what it sealed stays closed"
        );
    }
    if let Some(why) = &index.rebuilt {
        tracing::warn!(%why, events = index.replayed, "the index was made anew");
    }
    if let Some(position) = index.ahead_of {
        tracing::error!(
            position,
            "an older copy of the log was accepted: what came after it is forgotten here, and was sent"
        );
    }
}
