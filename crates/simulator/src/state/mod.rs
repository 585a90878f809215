//! The provider's world as pure state: every method takes the time and touches no IO. What changed is noted as a
//! set of rows, from which [`State::commit`] writes one durable line.

mod cardholders;
mod cards;
mod change;
mod deliveries;
mod entities;
mod events;
mod funds;
mod idempotency;
mod idv;
mod index;
mod ledger;
mod limits;
mod lists;
mod person;
mod snapshot;
mod spending;
mod status;
mod table;
mod timers;
mod tokens;
mod update;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use rust_decimal::Decimal;
use uuid::Uuid;

pub(crate) use self::cardholders::Verification;
pub(crate) use self::cards::Created;
pub(crate) use self::deliveries::Dispatch;
pub(crate) use self::entities::{
    Account, Card, CardOrder, Cardholder, IdvStatus, Token, Transaction,
};
pub use self::entities::{CardStatus, CardholderStatus, OrderStatus, OrderType};
pub(crate) use self::funds::Way;
pub(crate) use self::idempotency::{Identity, Lookup, StoredAnswer};
pub(crate) use self::idv::IdvError;
pub(crate) use self::status::MoveError;

use self::change::{Changed, Row};
use self::deliveries::Deliveries;
use self::entities::Timer;
use self::idempotency::IdempotencyStore;
use self::index::Index;
use self::table::Table;
use self::tokens::Tokens;
use crate::clock::Millis;
use crate::config::Config;
use crate::faults::Script;
use crate::ledger::RequestEntry;
use crate::rng::Generator;
use crate::variants::{Choice, Variants};

/// Who calls, and under which key.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) account: Account,
    pub(crate) idempotency_key: String,
}

pub(crate) struct State {
    pub(crate) config: Arc<Config>,
    pub(crate) faults: Script,
    pub(crate) idempotency: IdempotencyStore,
    /// Without a receiver, events are dropped instead of piling up.
    pub(crate) has_receiver: bool,
    pub(crate) variants: Variants,
    /// What the list of products is narrowed to.
    pub(crate) offered: Option<BTreeSet<Uuid>>,
    idv_base: String,
    entity_id: Uuid,
    rng: Generator,
    cards: Table<Card>,
    orders: Table<CardOrder>,
    cardholders: Table<Cardholder>,
    index: Index,
    tokens: Tokens,
    timers: BTreeMap<(Millis, u64), Timer>,
    last_timer: u64,
    deliveries: Deliveries,
    balances: HashMap<(Account, String), Decimal>,
    transactions: HashMap<Uuid, Transaction>,
    requests: VecDeque<RequestEntry>,
    last_request: u64,
    limits: limits::Windows,
    clock_offset: Millis,
    /// Rises with every change of cards, cardholders, orders and transactions.
    version: u64,
    changed: Changed,
    /// Changes read at start.
    replayed: usize,
}

impl State {
    pub(crate) fn new(config: Arc<Config>, idv_base: String) -> Self {
        let mut rng = Generator::new(config.seed);
        Self {
            entity_id: rng.uuid(),
            rng,
            idv_base,
            has_receiver: false,
            variants: config.variants,
            offered: None,
            faults: Script::default(),
            idempotency: IdempotencyStore::default(),
            cards: Table::default(),
            orders: Table::default(),
            cardholders: Table::default(),
            index: Index::default(),
            tokens: Tokens::default(),
            timers: BTreeMap::new(),
            last_timer: 0,
            deliveries: Deliveries::default(),
            balances: HashMap::new(),
            transactions: HashMap::new(),
            requests: VecDeque::new(),
            last_request: 0,
            limits: limits::Windows::default(),
            clock_offset: 0,
            version: 0,
            changed: Changed::new(config.data.is_some()),
            replayed: 0,
            config,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The form of what has this id; `None` while nothing varies.
    pub(crate) fn choice(&self, id: Uuid) -> Option<Choice> {
        match self.variants {
            Variants::Off => None,
            Variants::BySeed => Some(Choice::about(self.config.seed, id)),
        }
    }

    /// Whether the account is shown this product.
    pub(crate) fn offers(&self, product: Uuid) -> bool {
        let offered = self.offered.as_ref();
        offered.is_none_or(|offered| offered.contains(&product))
    }

    pub(crate) fn clock_offset(&self) -> Millis {
        self.clock_offset
    }

    pub(crate) fn set_clock_offset(&mut self, offset: Millis) {
        self.clock_offset = offset;
        self.changed.insert(Row::Clock);
    }

    pub(crate) fn touch_faults(&mut self) {
        self.changed.insert(Row::Faults);
    }

    pub(crate) fn card(&self, id: Uuid) -> Option<&Card> {
        self.cards.get(id)
    }

    pub(crate) fn order(&self, id: Uuid) -> Option<&CardOrder> {
        self.orders.get(id)
    }

    pub(crate) fn cardholder(&self, id: Uuid) -> Option<&Cardholder> {
        self.cardholders.get(id)
    }

    fn put_card(&mut self, card: Card) {
        self.version += 1;
        self.changed.insert(Row::Card(card.id));
        let (id, holder, account, product) =
            (card.id, card.cardholder_id, card.account, card.product_id);
        if self.cards.put(card).is_none() {
            self.index.add_card(id, holder, account, product);
        }
    }

    fn put_order(&mut self, order: CardOrder) {
        self.version += 1;
        self.changed.insert(Row::Order(order.id));
        self.orders.put(order);
    }

    fn put_cardholder(&mut self, holder: Cardholder) {
        self.version += 1;
        self.changed.insert(Row::Cardholder(holder.id));
        self.index.add_cardholder(&holder);
        if let Some(before) = self.cardholders.put(holder.clone()) {
            self.index.remove_stale(&before, &holder);
        } else {
            self.index.list_cardholder(&holder);
        }
    }

    fn put_token(&mut self, token: Token) {
        self.version += 1;
        self.changed.insert(Row::Token(token.client.clone()));
        self.tokens.put(token, self.config.single_active_token);
    }

    fn put_balance(&mut self, account: Account, currency: &str, amount: Decimal) {
        self.changed
            .insert(Row::Balance(account, currency.to_owned()));
        self.balances.insert((account, currency.to_owned()), amount);
    }

    fn put_transaction(&mut self, transaction: Transaction) {
        self.version += 1;
        self.changed.insert(Row::Transaction(transaction.id));
        self.transactions.insert(transaction.id, transaction);
    }

    pub(crate) fn keep_answer(&mut self, answer: StoredAnswer) {
        self.changed.insert(Row::Answer(answer.key.clone()));
        self.idempotency.keep(answer);
    }

    /// Adds an entry to the request log, which forgets its oldest beyond the cap.
    pub(crate) fn log_request(&mut self, mut entry: RequestEntry) {
        self.last_request += 1;
        entry.number = self.last_request;
        self.changed.insert(Row::Request(entry.number));
        self.requests.push_back(entry);
        if self.requests.len() > self.config.request_log_cap {
            self.requests.pop_front();
        }
    }

    fn balance(&self, account: Account, currency: &str) -> Decimal {
        self.balances
            .get(&(account, currency.to_owned()))
            .copied()
            .unwrap_or(self.config.issuing_balance)
    }
}
