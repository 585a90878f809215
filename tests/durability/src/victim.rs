//! A process with a store under load, to be cut, killed or starved.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use issuance_store::copies::{Before, archive, backup};
use issuance_store::{EmbeddedStore, Store};

use crate::acks::AckFile;
use crate::load::{self, Load};
use crate::orders::options;

/// Between two moves of what was closed meanwhile.
const ARCHIVE_PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's data directory.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// The acknowledgement list.
    #[arg(long)]
    pub(crate) acks: PathBuf,
    /// Which opening of this store it is.
    #[arg(long)]
    pub(crate) life: u64,
    /// Callers at once.
    #[arg(long, default_value_t = 16)]
    pub(crate) callers: u64,
    /// Orders of each caller.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) orders: u64,
    /// Size at which journal segments and vault files are closed.
    #[arg(long, default_value_t = 64 << 20)]
    pub(crate) segment_bytes: u64,
    /// Compacts the vault again and again under the load.
    #[arg(long)]
    pub(crate) compact: bool,
    /// Makes backups here, one after another, under the load.
    #[arg(long)]
    pub(crate) backups: Option<PathBuf>,
    /// Moves closed segments here, again and again, under the load.
    #[arg(long)]
    pub(crate) archive: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let acks = Arc::new(AckFile::append_to(&args.acks));
    let store = match EmbeddedStore::open(options(&args.dir, args.segment_bytes)) {
        Ok((store, _)) => Arc::new(store) as Arc<dyn Store>,
        Err(error) => {
            acks.write(&format!("stop at open: {error:?}").replace('\n', " "));
            return ExitCode::FAILURE;
        }
    };
    acks.write("open");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if args.compact {
        let store = Arc::clone(&store);
        // Ends with the store or the process.
        runtime.spawn(async move { while store.compact(false).await.is_ok() {} });
    }
    if let Some(out) = args.backups.clone() {
        let source = args.dir.clone();
        crate::verify::make_private(&out);
        runtime.spawn_blocking(move || {
            let mut number = 0;
            while backup(&source, &out.join(number.to_string())).is_ok() {
                number += 1;
            }
        });
    }
    if let Some(out) = args.archive.clone() {
        let source = args.dir.clone();
        runtime.spawn_blocking(move || {
            while archive(&source, &out, Before::Position(u64::MAX)).is_ok() {
                std::thread::sleep(ARCHIVE_PAUSE);
            }
        });
    }
    runtime.block_on(async {
        let load = Load {
            life: args.life,
            callers: args.callers,
            orders: args.orders,
        };
        load::run(&store, load, &acks).await;
        let _ = store.close().await;
    });
    ExitCode::SUCCESS
}
