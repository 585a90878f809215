//! Some of everything the store can be asked to keep, by many callers at once, each acknowledgement written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use issuance_store::{AppendError, Receipt, Standing, Store, StoreError};
use tokio::task::JoinSet;

use crate::acks::AckFile;
use crate::orders::{accepted, activated, at, follow, id, message, noticed, place};

/// Numbers of one caller, and of all callers of one life.
const CALLER: u64 = 1 << 20;
const LIFE: u64 = 1 << 30;
/// Tries of one step while the disk is full.
const TRIES: usize = 20;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Which opening of the same store it is: no number comes twice.
    pub(crate) life: u64,
    pub(crate) callers: u64,
    /// Orders of each caller.
    pub(crate) orders: u64,
}

struct Caller {
    store: Arc<dyn Store>,
    acks: Arc<AckFile>,
    stopped: Arc<AtomicBool>,
}

/// Nothing more can be had from this store.
struct Over;

/// Runs to the end of the load or of the store.
pub(crate) async fn run(store: &Arc<dyn Store>, load: Load, acks: &Arc<AckFile>) {
    let stopped = Arc::<AtomicBool>::default();
    // Let go of before its end, the callers end with it.
    let mut callers = JoinSet::new();
    for number in 0..load.callers {
        let caller = Caller {
            store: Arc::clone(store),
            acks: Arc::clone(acks),
            stopped: Arc::clone(&stopped),
        };
        let first = load.life * LIFE + number * CALLER;
        callers.spawn(async move {
            for number in first..first + load.orders {
                // After a stop a few more are tried: none of them may be acknowledged.
                if caller.one(number).await.is_err() && number % 4 == 3 {
                    return;
                }
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
}

impl Caller {
    /// One order, from its request to its end.
    async fn one(&self, number: u64) -> Result<(), Over> {
        let id = id(number);
        self.step(&format!("o {id} 1"), || async {
            self.store.append(place(number)).await.map(drop)
        })
        .await?;
        let message = message(number);
        self.step(&format!("m {}", message.id), || async {
            match self.store.receive(message.clone(), None).await? {
                Receipt::Stored | Receipt::Repeat => Ok(()),
                Receipt::Forged => panic!("message {number} is taken for a forgery"),
            }
        })
        .await?;
        let settles = number.is_multiple_of(3);
        self.step(&format!("o {id} 3"), || async {
            let before = self.store.order(id).await?;
            let bodies = vec![accepted(number), activated(number)];
            let mut append = follow(id, before.as_deref(), bodies);
            append.settles = settles.then(|| message.id.clone());
            self.store.append(append).await.map(drop)
        })
        .await?;
        if settles {
            self.acks.write(&format!("s {}", message.id));
        } else if number % 3 == 1 {
            let standing = Standing::Settled { order: Some(id) };
            self.step(&format!("s {}", message.id), || async {
                Ok(self
                    .store
                    .settle(&message.id, standing.clone(), at())
                    .await?)
            })
            .await?;
        }
        if number.is_multiple_of(8) {
            self.step(&format!("o {id} 43"), || async {
                let before = self.store.order(id).await?;
                let append = follow(id, before.as_deref(), vec![noticed(); 40]);
                self.store.append(append).await.map(drop)
            })
            .await?;
        }
        Ok(())
    }

    /// One thing to be acknowledged, again while the disk is full. Begun after the stop, it must not be.
    async fn step<F, R>(&self, ack: &str, ask: F) -> Result<(), Over>
    where
        F: Fn() -> R,
        R: Future<Output = Result<(), AppendError>>,
    {
        for _ in 0..TRIES {
            let late = self.stopped.load(Ordering::SeqCst);
            match ask().await {
                Ok(()) => {
                    self.acks.write(ack);
                    if late {
                        self.acks.write(&format!("! {ack}"));
                    }
                    return Ok(());
                }
                Err(AppendError::Store(StoreError::DiskFull)) => self.acks.write("full"),
                Err(AppendError::Store(StoreError::Overloaded)) => {}
                Err(AppendError::Store(StoreError::Stopped { why })) => {
                    if !self.stopped.swap(true, Ordering::SeqCst) {
                        self.acks.write(&format!("stop {}", why.replace('\n', " ")));
                    }
                    return Err(Over);
                }
                // It may be there; who asks again would be told so in other words.
                Err(AppendError::Store(StoreError::Closed | StoreError::Unconfirmed)) => {
                    return Err(Over);
                }
                Err(other) => panic!("{ack}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Over)
    }
}
